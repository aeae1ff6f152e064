// Package httpd is the address that AI tools are pointed at: it serves every
// dialect on one port, guards it, and answers each caller in its own words. On
// the daemon's socket, and with the admin key on the port, it also serves the
// management API that the command line uses.
package httpd
