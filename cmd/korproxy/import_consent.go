package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/korproxy/korproxy/internal/config"
)

// consent is one line of consents.jsonl: what the user agreed to, and under
// which reading of the vendor's terms. It holds no key.
type consent struct {
	Time       time.Time `json:"time"`
	Tool       string    `json:"tool"`
	Place      string    `json:"place"`
	Account    string    `json:"account"`
	Policy     string    `json:"policy"`
	PolicyDate string    `json:"policy_date"`
}

func recordConsent(p config.Paths, f find) (err error) {
	b, err := json.Marshal(consent{time.Now().UTC().Truncate(time.Second), f.Tool, f.Place, f.Provider + "/" + f.Account, f.Terms.Text, f.Terms.Date})
	if err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(p.StateDir, "consents.jsonl"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("recording the consent: %w", err)
	}
	defer func() {
		if cerr := file.Close(); err == nil {
			err = cerr
		}
	}()
	_, err = file.Write(append(b, '\n'))
	return err
}
