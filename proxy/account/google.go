package account

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
)

// Google's credential files are read by Google's own library: their kinds
// (impersonation, workload identity, the metadata server) are many and change.
// Nothing of them is stored; tokens live in memory alone.

// cloudScope is what Vertex AI asks for.
const cloudScope = "https://www.googleapis.com/auth/cloud-platform"

func (s *signIn) google() bool { return isGoogle(s.account.Connect) }

func isGoogle(w proxy.WayKind) bool { return w == proxy.WayServiceAccount || w == proxy.WayADC }

// Credentials are where a Google account's credentials come from.
type Credentials struct {
	File string // "" is the metadata server of the machine
	Type string // such as service_account, authorized_user
	User string // the service account's address, "" for others
	data []byte
}

// FindCredentials finds the credentials file of an account: the one it names,
// for ADC else that of GOOGLE_APPLICATION_CREDENTIALS or gcloud's own. Its error
// has the code CredentialsFile.
func FindCredentials(a proxy.Account, getenv func(string) string) (Credentials, error) {
	c := Credentials{File: a.File}
	if c.File == "" && a.Connect == proxy.WayADC {
		if c.File = getenv("GOOGLE_APPLICATION_CREDENTIALS"); c.File == "" {
			c.File = gcloudFile(getenv)
			if _, err := os.Stat(c.File); err != nil {
				return Credentials{}, nil
			}
		}
	}
	if c.File == "" {
		return c, fault.New(fault.CredentialsFile, "the account %s names no credentials file", a.Label())
	}
	data, err := os.ReadFile(c.File)
	if err != nil {
		return c, fault.New(fault.CredentialsFile, "%w", err)
	}
	var head struct {
		Type  string `json:"type"`
		Email string `json:"client_email"`
	}
	if json.Unmarshal(data, &head) != nil || head.Type == "" {
		return c, fault.New(fault.CredentialsFile, "%s is not a Google credentials file", c.File)
	}
	if a.Connect == proxy.WayServiceAccount && head.Type != string(google.ServiceAccount) {
		return c, fault.New(fault.CredentialsFile, "%s is not the file of a service account, but of type %q", c.File, head.Type)
	}
	c.Type, c.User, c.data = head.Type, head.Email, data
	return c, nil
}

// gcloudFile is where 'gcloud auth application-default login' writes.
func gcloudFile(getenv func(string) string) string {
	const name = "application_default_credentials.json"
	if dir := getenv("CLOUDSDK_CONFIG"); dir != "" {
		return filepath.Join(dir, name)
	}
	if runtime.GOOS == "windows" {
		return filepath.Join(getenv("APPDATA"), "gcloud", name)
	}
	return filepath.Join(getenv("HOME"), ".config", "gcloud", name)
}

// googleToken asks Google for an access token.
func (k *Keys) googleToken(ctx context.Context, p *proxy.Provider, a proxy.Account) (Token, error) {
	way := p.Way(a.Connect)
	if way != nil && !way.Offered() {
		return Token{}, NotOffered(p, way)
	}
	scopes := []string{cloudScope}
	if way != nil && len(way.Scopes) > 0 {
		scopes = way.Scopes
	}
	c, err := FindCredentials(a, k.Getenv)
	if err != nil {
		return Token{}, err
	}
	client, err := k.oauth()
	if err != nil {
		return Token{}, err
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, client.HTTP())
	source := google.ComputeTokenSource("", scopes...)
	if c.data != nil {
		found, err := google.CredentialsFromJSONWithType(ctx, c.data, google.CredentialsType(c.Type), scopes...)
		if err != nil {
			// The library's message may quote the file.
			return Token{}, fault.New(fault.CredentialsFile, "%s cannot be used", c.File)
		}
		source = found.TokenSource
	}
	t, err := source.Token()
	if err != nil {
		return Token{}, googleFault(a, c, err)
	}
	return Token{Access: secret.New(t.AccessToken), Type: t.TokenType, Expiry: t.Expiry, Obtained: time.Now(), Email: c.User}, nil
}

func googleFault(a proxy.Account, c Credentials, err error) *fault.Error {
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused) && (refused.ErrorCode == "invalid_grant" || refused.ErrorCode == "invalid_client"):
		return fault.New(fault.SignedOut, "Google no longer takes %s of the account %s: %s %s", c.File, a.Label(), refused.ErrorCode, words(&fault.Error{Message: refused.ErrorDescription}))
	case errors.As(err, &refused) && refused.Response != nil:
		return fault.New(fault.RefreshFailed, "Google answered %d when asked for a token of the account %s", refused.Response.StatusCode, a.Label())
	case c.File == "":
		return fault.New(fault.CredentialsFile, "there are no Application Default Credentials: run 'gcloud auth application-default login', or name a file with --file")
	}
	return fault.New(fault.RefreshFailed, "no token was got for the account %s", a.Label())
}
