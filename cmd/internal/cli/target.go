package cli

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/skiff-project/skiff/pkg/client"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// Target says which server is asked, who asks, and how the server is known. Its JSON is that of a context.
type Target struct {
	URL string `json:"url,omitempty"` // root of the server, with or without /api

	// One of these: a user and a password, a token (bearer), or a program that prints the Authorization header. Secrets may
	// stand in files of their own.
	Username     string `json:"username,omitempty"`
	Password     string `json:"password,omitempty"`
	PasswordFile string `json:"passwordFile,omitempty"`
	Token        string `json:"token,omitempty"`
	TokenFile    string `json:"tokenFile,omitempty"`
	Command      string `json:"credentialsProviderCommand,omitempty"`

	CACert            string `json:"caCert,omitempty"` // file of certificates, besides those of the system
	ClientCert        string `json:"clientCert,omitempty"`
	ClientKey         string `json:"clientKey,omitempty"`
	SkipSSLValidation bool   `json:"skipSslValidation,omitempty"`
}

// Open gives a client of the target. It reads the files that the target names, and asks nobody yet.
func (t Target) Open(d Deps) (*client.Client, error) {
	authorization, err := t.authorization(d)
	if err != nil {
		return nil, err
	}
	settings, err := t.tls()
	if err != nil {
		return nil, err
	}
	if t.SkipSSLValidation && d.Err != nil {
		if err := (&cli{Deps: d}).tell("warning: the certificate of %s is not checked\n", hostOf(t.URL)); err != nil {
			return nil, err
		}
	}
	return client.Open(client.Options{
		Address: t.URL, Authorization: authorization, TLS: settings, UserAgent: "skiff/" + d.Version,
	})
}

// hostOf leaves out of a URL what may be a password.
func hostOf(url string) string {
	_, rest, ok := strings.Cut(url, "://")
	if !ok {
		rest = url
	}
	rest, _, _ = strings.Cut(rest, "/")
	return rest[strings.LastIndex(rest, "@")+1:]
}

// anonymous says that nobody is named.
func (t Target) anonymous() bool {
	return t.Username == "" && t.Password == "" && t.PasswordFile == "" && t.Token == "" && t.TokenFile == "" && t.Command == ""
}

// as is the target with the credentials of another.
func (t Target) as(other Target) Target {
	t.Username, t.Password, t.PasswordFile = other.Username, other.Password, other.PasswordFile
	t.Token, t.TokenFile, t.Command = other.Token, other.TokenFile, other.Command
	return t
}

// authorization gives what makes the header; nil without credentials.
func (t Target) authorization(d Deps) (func(context.Context) (string, error), error) {
	var err error
	if t.PasswordFile != "" {
		if t.Password, err = secretFile(t.PasswordFile); err != nil {
			return nil, err
		}
	}
	if t.TokenFile != "" {
		if t.Token, err = secretFile(t.TokenFile); err != nil {
			return nil, err
		}
	}
	switch {
	case t.Command != "":
		return func(ctx context.Context) (string, error) { return provided(ctx, t.Command) }, nil
	case t.Token != "":
		return headerOf("Bearer " + t.Token)
	case t.Username == "" && t.Password != "":
		return nil, usagef("a password may be specified only together with a username")
	case t.Username == "":
		return nil, nil
	case t.Password == "" && d.Password != nil:
		if t.Password, err = d.Password("Password: "); err != nil {
			return nil, err
		}
	}
	return headerOf("Basic " + base64.StdEncoding.EncodeToString([]byte(t.Username+":"+t.Password)))
}

func headerOf(value string) (func(context.Context) (string, error), error) {
	for _, r := range value {
		if r < ' ' || r == 0x7f {
			return nil, usagef("the credentials hold a line break or another control character: no header can carry it")
		}
	}
	return func(context.Context) (string, error) { return value, nil }, nil
}

// helperPatience is how long a program may take to give credentials. Somebody may have to answer it.
const helperPatience = 2 * time.Minute

// provided runs the program that gives credentials, without a shell, and gives the first line it prints.
func provided(ctx context.Context, command string) (string, error) {
	words := strings.Fields(command)
	if len(words) == 0 {
		return "", usagef("the credentials provider command is empty")
	}
	ctx, cancel := context.WithTimeout(ctx, helperPatience)
	defer cancel()
	var out limited
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, os.Stderr, time.Second
	if err := cmd.Run(); err != nil {
		return "", skipper.Errorf(skipper.CodeUnauthorized, "the credentials provider command %s gives none: %w", words[0], err)
	}
	value, _, _ := strings.Cut(strings.TrimLeft(out.String(), " \r\n"), "\n")
	value = strings.TrimSpace(value)
	if value == "" {
		return "", skipper.Errorf(skipper.CodeUnauthorized,
			"the credentials provider command %s printed nothing: its output is the Authorization header", words[0])
	}
	return value, nil
}

// limited keeps the beginning of what is written.
type limited struct{ bytes.Buffer }

// Write keeps what still fits.
func (l *limited) Write(b []byte) (int, error) {
	if room := 64<<10 - l.Len(); room > 0 {
		_, _ = l.Buffer.Write(b[:min(room, len(b))]) // a buffer takes all
	}
	return len(b), nil
}

// secretFile reads a file that holds a secret, which only its owner may be able to read.
func secretFile(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", usagef("the file with the secret cannot be read: %w", err)
	}
	if err := private(path); err != nil {
		return "", err
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

// tls gives how certificates are checked and shown; nil for the usual way.
func (t Target) tls() (*tls.Config, error) {
	if t.CACert == "" && t.ClientCert == "" && t.ClientKey == "" && !t.SkipSSLValidation {
		return nil, nil
	}
	settings := &tls.Config{InsecureSkipVerify: t.SkipSSLValidation} //nolint:gosec // asked for, and warned of
	if t.CACert != "" {
		pem, err := os.ReadFile(t.CACert)
		if err != nil {
			return nil, usagef("the CA certificate cannot be read: %w", err)
		}
		if settings.RootCAs, err = x509.SystemCertPool(); err != nil {
			settings.RootCAs = x509.NewCertPool()
		}
		if !settings.RootCAs.AppendCertsFromPEM(pem) {
			return nil, usagef("the CA certificate %s holds no certificate in PEM", t.CACert)
		}
	}
	if (t.ClientCert == "") != (t.ClientKey == "") {
		return nil, usagef("a client certificate needs its key, and a key its certificate: give both files")
	}
	if t.ClientCert != "" {
		pair, err := tls.LoadX509KeyPair(t.ClientCert, t.ClientKey)
		if err != nil {
			return nil, usagef("the client certificate %s and its key cannot be used: %w", t.ClientCert, plainly(err))
		}
		settings.Certificates = []tls.Certificate{pair}
	}
	return settings, nil
}

// plainly leaves out of an error what speaks to programmers.
func plainly(err error) error {
	text := strings.TrimPrefix(err.Error(), "tls: ")
	return errors.New(text)
}
