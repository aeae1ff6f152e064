package config

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// RenameAccount gives an account of the user's config file another name. Only
// the name's value changes, or a line is added where it had none. Errors are as
// for AddAccount.
func RenameAccount(file, provider, name, to string) error {
	return edit(file, func(text []byte) ([]byte, error) {
		return changeAccounts(text, provider, name, func(list []Account, at int) error {
			id := Account{Provider: provider, Name: to}.ID()
			if slices.ContainsFunc(list, func(a Account) bool { return a.ID() == id }) {
				return Problem{Code: codeAccount, Message: fmt.Sprintf("account %s exists", id), Fix: "choose another name, or remove it first"}
			}
			list[at].Name = to
			return nil
		})
	})
}

// DisableAccount turns an account of the user's config file off, or on again.
func DisableAccount(file, provider, name string, off bool) error {
	return edit(file, func(text []byte) ([]byte, error) {
		return changeAccounts(text, provider, name, func(list []Account, at int) error {
			list[at].Disabled = off
			return nil
		})
	})
}

// DefaultAccount makes an account the one that is used before the others of its
// provider, or with on false takes that back.
func DefaultAccount(file, provider, name string, on bool) error {
	return edit(file, func(text []byte) ([]byte, error) {
		return changeAccounts(text, provider, name, func(list []Account, at int) error {
			for i := range list {
				if list[i].Provider == provider {
					list[i].Default = on && i == at
				}
			}
			return nil
		})
	})
}

// changeAccounts changes accounts by their blocks' lines; every other byte
// stays, and the result is proved to say what it should.
func changeAccounts(text []byte, provider, name string, change func(list []Account, at int) error) ([]byte, error) {
	before, err := verified(text)
	if err != nil {
		return nil, err
	}
	id := Account{Provider: provider, Name: name}.ID()
	at := slices.IndexFunc(before.Accounts, func(a Account) bool { return a.ID() == id })
	if at < 0 {
		return nil, Problem{Code: codeAccount, Message: fmt.Sprintf("no account %s in the file", id), Fix: "list them with 'korproxy accounts list'"}
	}
	want := before
	want.Accounts = slices.Clone(before.Accounts)
	if err := change(want.Accounts, at); err != nil {
		return nil, err
	}
	out := text
	for i, a := range want.Accounts {
		b := before.Accounts[i]
		for _, key := range []struct{ name, from, to string }{
			{"name", quoteTOML(b.Name), quoteTOML(a.Name)},
			{"default", strconv.FormatBool(b.Default), strconv.FormatBool(a.Default)},
			{"disabled", strconv.FormatBool(b.Disabled), strconv.FormatBool(a.Disabled)},
		} {
			if key.from == key.to {
				continue
			}
			if out, err = setAccountKey(out, i, key.name, key.to); err != nil {
				return nil, err
			}
		}
	}
	return out, same(out, want)
}

// setAccountKey writes a key of the account's block, in the place of its value
// or as a line behind the block's last.
func setAccountKey(text []byte, at int, key, value string) ([]byte, error) {
	lay := layoutOf(text)
	path := indexPath("accounts", at)
	if start, ok := lay.value[joinPath(path, key)]; ok {
		lay.pos = start
		if !lay.scanValue(path) {
			return nil, inlineAccounts()
		}
		end := start + len(bytes.TrimRight(text[start:lay.pos], " \t"))
		return slices.Concat(text[:start], []byte(value), text[end:]), nil
	}
	i := slices.IndexFunc(lay.sections, func(s section) bool { return s.array && s.path == path })
	if i < 0 {
		return nil, inlineAccounts()
	}
	line, end := key+" = "+value, lay.sections[i].end
	eol := eolOf(text)
	if end > 0 && text[end-1] != '\n' {
		line = eol + line
	} else {
		line += eol
	}
	return slices.Concat(text[:end], []byte(line), text[end:]), nil
}

// eolOf is how the text ends its lines.
func eolOf(text []byte) string {
	if first, _, ok := strings.Cut(string(text), "\n"); ok && strings.HasSuffix(first, "\r") {
		return "\r\n"
	}
	return "\n"
}
