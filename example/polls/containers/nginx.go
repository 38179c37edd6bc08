package containers

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"net"
	"strconv"
	"strings"
	"text/template"
)

const (
	nginxDir   = "/etc/nginx/polls" // in the container; the directory nginx outside
	nginxFile  = "nginx.conf"
	statusAddr = "127.0.0.1:8081" // where nginx tells the version of its configuration, in its container only
)

//go:embed nginx.conf.tmpl
var nginxText string

type nginxData struct {
	Header, Version, Host, Status string
	Sites                         []nginxSite
}

type nginxSite struct {
	ID, Names, Upstream string
	Refusal             int
}

// nginx returns the configuration of nginx. All that is inserted was checked by New to be of letters, digits, '-', '_' and '.'.
func (t *Topology) nginx() ([]byte, error) {
	page, err := template.New(nginxFile).Parse(nginxText)
	if err != nil {
		return nil, err
	}
	data := nginxData{Header: header, Host: "$host", Status: statusAddr}
	if t.options.Port != 80 {
		data.Host = net.JoinHostPort("$host", strconv.Itoa(t.options.Port))
	}
	for _, s := range t.sites {
		data.Sites = append(data.Sites, nginxSite{
			ID: string(s.id), Names: strings.Join(s.hosts, " "), Upstream: s.web(), Refusal: s.refusal,
		})
	}
	var text bytes.Buffer
	for range 2 { // the version is that of the text without one
		text.Reset()
		if err := page.Execute(&text, data); err != nil {
			return nil, fmt.Errorf("containers: nginx: %w", err)
		}
		if data.Version == "" {
			sum := sha256.Sum256(text.Bytes())
			data.Version = hex.EncodeToString(sum[:8])
		}
	}
	return text.Bytes(), nil
}
