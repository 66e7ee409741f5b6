package config

import (
	"flag"
	"fmt"
	"net/url"

	"github.com/tidemarkhq/tidemark/anomaly/notify"
)

func (c *Config) notifyFlags(fs *flag.FlagSet) {
	fs.StringVar(&c.PublicURL, "public-url", "", "address of the web application as people and chats reach it, for links and charts in messages: https://tidemark.example.com")
	fs.StringVar(&c.NotifyAllow, "notify-allow", notify.DefaultAllow, "where messages may go: public, private, loopback, networks and addresses, separated by commas")
	fs.StringVar(&c.SecretKeyFile, "secret-key-file", "", "file with the key (32 bytes in base64) that encrypts channels' secrets; empty makes one in the data directory; several processes on one store need the same")
}

func (c *Config) checkNotify() error {
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return fmt.Errorf("--public-url is %q: use an address such as https://tidemark.example.com", c.PublicURL)
		}
	}
	if _, err := notify.ParseNetworks(c.NotifyAllow); err != nil {
		return fmt.Errorf("--notify-allow: %w", err)
	}
	return nil
}
