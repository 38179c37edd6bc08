package containers

import (
	"fmt"
	"strconv"
)

// hardened is what all services have: no root, no capability, no way to gain one, nothing to write to but what is named.
func hardened(user int, memory string, pids int) service {
	return service{
		User:        fmt.Sprintf("%d:%d", user, user),
		ReadOnly:    true,
		CapDrop:     []string{"ALL"},
		SecurityOpt: []string{"no-new-privileges:true"},
		MemLimit:    memory,
		PidsLimit:   pids,
		Restart:     "unless-stopped",
	}
}

func health(start string, test ...string) *healthcheck {
	return &healthcheck{Test: append([]string{"CMD"}, test...), Interval: "5s", Timeout: "3s", Retries: 5, StartPeriod: start}
}

// nginxService depends on no tenant, so that it starts while one is down.
func (t *Topology) nginxService() service {
	s := hardened(nginxUser, "256m", 64)
	s.Image = nginxImage
	s.Entrypoint = []string{"nginx"}
	s.Command = []string{"-c", nginxDir + "/" + nginxFile, "-g", "daemon off;"}
	s.Sysctls = map[string]int{"net.ipv4.ip_unprivileged_port_start": 0} // port 80 without a capability
	s.StopGrace = "30s"
	// The directory, not the file: a file that is replaced would stay the old one inside.
	s.Volumes = []mount{{Type: "bind", Source: "./nginx", Target: nginxDir, ReadOnly: true}}
	s.Tmpfs = []string{"/tmp"}
	s.Ports = []port{{Target: 80, Published: strconv.Itoa(t.options.Port)}}
	s.Networks = []string{"public"}
	for _, site := range t.sites {
		s.Networks = append(s.Networks, site.front())
	}
	s.Healthcheck = health("5s", "wget", "-q", "-O", "/dev/null", "http://"+statusAddr+"/")
	return s
}

// proxyNetworks are those that containers get their addresses from. On its networks the application meets nobody but nginx
// and its database, so that what comes from there and says whom it is for comes from nginx.
func proxyNetworks() []string { return []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"} }

// app is what the application and its migration have in common.
func (t *Topology) app(s site) service {
	app := hardened(appUser, "256m", 64)
	app.Image = t.options.Project + ":local"
	app.PullPolicy = "never"
	app.Labels = map[string]string{tenantLabel: string(s.id)}
	app.Environment = map[string]string{
		"POLLS_STRATEGY": "pinned", "POLLS_TENANT": string(s.id), "DATABASE_URL_FILE": "/run/secrets/" + urlFile,
	}
	app.Secrets = []secretMount{{Source: s.urlSecret(), Target: urlFile}}
	app.Tmpfs = []string{"/tmp"}
	app.DependsOn = map[string]condition{}
	if t.options.SQLite {
		app.Volumes = []mount{{Type: "volume", Source: s.data(), Target: "/data"}}
		return app
	}
	app.DependsOn[s.db()] = condition{"service_healthy"}
	return app
}

func (t *Topology) web(s site) service {
	web := t.app(s)
	web.Command = []string{"serve", "--addr", ":8000", "--base-domain", t.options.Base}
	for _, domain := range s.hosts[1:] {
		web.Command = append(web.Command, "--domain", domain)
	}
	for _, network := range proxyNetworks() {
		web.Command = append(web.Command, "--trusted-proxy", network)
	}
	web.StopGrace = "30s"
	web.DependsOn[s.migration()] = condition{"service_completed_successfully"}
	web.Networks = []string{s.front()}
	if !t.options.SQLite {
		web.Networks = append(web.Networks, s.back())
	}
	web.Healthcheck = health("10s", "/polls", "healthcheck", "--addr", "127.0.0.1:8000")
	return web
}

func (t *Topology) migration(s site) service {
	m := t.app(s)
	m.Command = []string{"migrate", "up"}
	m.Restart = "no"
	if t.options.SQLite {
		m.NetworkMode = "none"
	} else {
		m.Networks = []string{s.back()}
	}
	return m
}

func (t *Topology) db(s site) service {
	db := hardened(postgresUser, "512m", 256)
	db.Image = postgresImage
	db.Labels = map[string]string{tenantLabel: string(s.id)}
	db.StopGrace = "1m"
	db.Environment = map[string]string{
		"POSTGRES_USER": role, "POSTGRES_DB": role,
		"POSTGRES_PASSWORD_FILE": "/run/secrets/" + passwordFile,
	}
	db.Secrets = []secretMount{{Source: s.password(), Target: passwordFile}}
	db.Volumes = []mount{{Type: "volume", Source: s.data(), Target: "/var/lib/postgresql/data"}}
	db.Tmpfs = []string{"/tmp", "/var/run/postgresql"}
	db.Networks = []string{s.back()}
	// By TCP: the server that the image runs while it makes the database listens at a socket only.
	db.Healthcheck = health("30s", "pg_isready", "-h", "127.0.0.1", "-U", role, "-d", role)
	return db
}
