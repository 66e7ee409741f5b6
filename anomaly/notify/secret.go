package notify

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Keys encrypt what must not be read from the store, and sign the addresses of charts. Both come from one key of 32
// random bytes in a file; whoever has the store but not the file learns no secret.
type Keys struct {
	aead cipher.AEAD
	sign []byte
}

// sealed precedes every encrypted value: "enc:v1:" and base64 of nonce and ciphertext (AES-256-GCM).
const sealed = "enc:v1:"

// LoadKeys reads the key file, one line of base64, and makes it (mode 0600) where it is missing.
func LoadKeys(file string) (*Keys, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		b, err = createKey(file)
	}
	if err != nil {
		return nil, fmt.Errorf("read the secret key: %w", err)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(b)))
	if err != nil || len(raw) != 32 {
		return nil, fmt.Errorf("%s is not a secret key: it must hold 32 bytes in base64 (openssl rand -base64 32)", file)
	}
	if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("%s can be read by everyone on this machine: chmod 600 it", file)
	}
	return NewKeys(raw)
}

// createKey writes a new key as a whole or not at all: the first of several starting processes wins.
func createKey(file string) ([]byte, error) {
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		return nil, err
	}
	text := []byte(base64.StdEncoding.EncodeToString(raw) + "\n")
	tmp, err := os.CreateTemp(filepath.Dir(file), ".secret-*") // 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(text)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(tmp.Name(), file); errors.Is(err, fs.ErrExist) {
		return os.ReadFile(file)
	} else if err != nil {
		return nil, err
	}
	return text, nil
}

// NewKeys derives the keys of each purpose from 32 secret bytes.
func NewKeys(raw []byte) (*Keys, error) {
	enc, err := hkdf.Key(sha256.New, raw, nil, "tidemark secrets at rest", 32)
	if err != nil {
		return nil, fmt.Errorf("derive the encryption key: %w", err)
	}
	sign, err := hkdf.Key(sha256.New, raw, nil, "tidemark chart addresses", 32)
	if err != nil {
		return nil, fmt.Errorf("derive the signing key: %w", err)
	}
	block, err := aes.NewCipher(enc)
	if err != nil {
		return nil, fmt.Errorf("use the encryption key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("use the encryption key: %w", err)
	}
	return &Keys{aead: aead, sign: sign}, nil
}

// seal encrypts a value; place ("channel/<id>/<field>") is where alone it can be opened.
func (k *Keys) seal(place, value string) string {
	nonce := make([]byte, k.aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	return sealed + base64.RawStdEncoding.EncodeToString(k.aead.Seal(nonce, nonce, []byte(value), []byte(place)))
}

// Seal is seal for other places with secrets: place must say whose they are.
func (k *Keys) Seal(place, value string) string { return k.seal(place, value) }

// Open undoes Seal.
func (k *Keys) Open(place, value string) (string, error) { return k.open(place, value) }

func (k *Keys) open(place, value string) (string, error) {
	text, ok := strings.CutPrefix(value, sealed)
	if !ok {
		return "", errors.New("it is not encrypted")
	}
	b, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(b) < k.aead.NonceSize() {
		return "", errors.New("it is damaged")
	}
	n := k.aead.NonceSize()
	plain, err := k.aead.Open(nil, b[:n], b[n:], []byte(place))
	if err != nil {
		return "", errors.New("it was encrypted with another key: give that one with --secret-key-file, or enter the secret again")
	}
	return string(plain), nil
}

// mac signs a text; 128 bits, as base64 that may stand in a URL.
func (k *Keys) mac(text string) string {
	h := hmac.New(sha256.New, k.sign)
	h.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])
}

func (k *Keys) verify(text, mac string) bool { return hmac.Equal([]byte(k.mac(text)), []byte(mac)) }
