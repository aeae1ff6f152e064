package secret

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"filippo.io/age"
)

// file is a Store in one age-encrypted file. It holds nothing in memory: every
// call reads the folder, so that processes see each other's changes.
type file struct{ dir folder }

var _ Store = file{}

func (s file) Get(_ context.Context, name string) (Value, error) {
	if err := checkName(name); err != nil {
		return Value{}, err
	}
	secrets, err := s.load()
	if err != nil {
		return Value{}, err
	}
	text, ok := secrets[name]
	if !ok {
		return Value{}, missing(name)
	}
	return New(text), nil
}

func (s file) Set(ctx context.Context, name string, v Value) error {
	if err := checkSet(name, v); err != nil {
		return err
	}
	return s.change(ctx, func(secrets map[string]string) error {
		secrets[name] = v.Reveal()
		return nil
	})
}

func (s file) Delete(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return s.change(ctx, func(secrets map[string]string) error {
		if _, ok := secrets[name]; !ok {
			return missing(name)
		}
		delete(secrets, name)
		return nil
	})
}

func (s file) List(context.Context) ([]string, error) {
	secrets, err := s.load()
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(secrets)), nil
}

func (s file) change(ctx context.Context, fn func(map[string]string) error) error {
	return s.dir.locked(ctx, func() error {
		secrets, err := s.load()
		if err != nil {
			return err
		}
		if err := fn(secrets); err != nil {
			return err
		}
		return s.save(secrets)
	})
}

func (s file) load() (map[string]string, error) {
	secrets := map[string]string{}
	sealed, err := s.dir.read(secretsFile)
	if err != nil || sealed == nil {
		return secrets, err
	}
	id, err := s.identity()
	if err != nil {
		return nil, err
	}
	if id == nil {
		return nil, &Error{
			Code: codeNoKey, Message: s.dir.path(identityFile) + " is missing",
			Fix: "restore it from a backup, or move " + secretsFile + " away and add the keys again",
		}
	}
	plain, err := age.Decrypt(bytes.NewReader(sealed), id)
	if err == nil {
		err = json.NewDecoder(plain).Decode(&secrets)
	}
	if err != nil {
		return nil, s.damaged(secretsFile)
	}
	return secrets, nil
}

// identity reads the age key; nil without an error when there is none.
func (s file) identity() (*age.X25519Identity, error) {
	text, err := s.dir.read(identityFile)
	if err != nil || text == nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if id, err := age.ParseX25519Identity(line); err == nil {
			return id, nil
		}
		break
	}
	return nil, s.damaged(identityFile)
}

// damaged leaves the cause out: a decoder's message may quote the plain text.
func (s file) damaged(name string) error {
	return &Error{
		Code: codeDamaged, Message: s.dir.path(name) + " is damaged",
		Fix: "restore the folder from a backup, or move it away and add the keys again",
	}
}

// save writes the secrets; the caller holds the lock. The key is made with the
// first secret, and written before anything is encrypted to it.
func (s file) save(secrets map[string]string) error {
	id, err := s.identity()
	if err != nil {
		return err
	}
	if id == nil {
		if id, err = age.GenerateX25519Identity(); err != nil {
			return diskError(err)
		}
		text := "# KorProxy's key for " + secretsFile + ". Keep it to yourself.\n" + id.String() + "\n"
		if err := s.dir.write(identityFile, []byte(text)); err != nil {
			return err
		}
	}
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, id.Recipient())
	if err == nil {
		err = json.NewEncoder(w).Encode(secrets)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return diskError(err)
	}
	return s.dir.write(secretsFile, sealed.Bytes())
}
