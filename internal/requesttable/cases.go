package requesttable

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/httpmw"
)

// Cases returns the table. Each call makes new resolvers.
func Cases() []Case {
	var all []Case
	for _, group := range [][]Case{
		hostAttacks(), pathAttacks(), valueAttacks(), chainAttacks(),
		domains(), states(), members(), central(), plain(),
	} {
		all = append(all, group...)
	}
	return all
}

// hosts makes cases of one resolver and one status. Names come from the host and say what it tries.
func hosts(kind string, resolver httpmw.Resolver, status int, tenant tenancy.ID, names ...string) []Case {
	cases := make([]Case, len(names))
	for i, name := range names {
		cases[i] = Case{
			Name: fmt.Sprintf("%s/%q", kind, name), Resolver: resolver, Host: name, Status: status, Tenant: tenant,
		}
	}
	return cases
}

func hostAttacks() []Case {
	sub := httpmw.FromSubdomain("example.com")
	var all []Case
	for _, group := range [][]Case{
		hosts("another site", sub, http.StatusNotFound, "",
			"evil-example.com", "thor.evil-example.com", "thorexample.com", "thor.example.com.evil.org",
			"thor.example.org", "example", "com", "localhost", "thor", "thor.example.co", "xexample.com", "0x7f.1"),
		hosts("too deep", sub, http.StatusNotFound, "",
			"a.thor.example.com", "thor.potter.example.com", "www.thor.example.com"),
		hosts("malformed", sub, http.StatusBadRequest, "",
			Empty, ".", "..", ".example.com", "thor..example.com", "thor.example.com..", "thor@potter.example.com",
			"thor:pw@potter.example.com", "thor.example.com@evil.org", "thor.example.com,potter.example.com",
			"thor.example.com, potter.example.com", "thor.example.com:80:80", "thor.example.com:8o",
			"thor.example.com:-1", "thor.example.com:123456", "thor example.com", " thor.example.com",
			"thor.example.com ", "thor.example.com/potter", "thor.example.com?potter", "thor.example.com#potter",
			"thor.example.com\\potter", "thor.example.com\x00", "thor\t.example.com", "%74hor.example.com",
			"thor%2eexample.com", "*.example.com", "http://thor.example.com", "thor.example.com\r\nx: y",
			"-thor.example.com", "_thor.example.com", "::1", "[::1", "[thor]", "[thor].example.com",
			"[::1].example.com", "[127.0.0.1]", "[fe80::1%25eth0]", "[fe80::1%eth0]", "[]", "[::1]x"),
		hosts("reserved", sub, http.StatusBadRequest, "",
			"www.example.com", "public.example.com", "pg_catalog.example.com", "localhost.example.com",
			"WWW.example.com"),
		hosts("look-alike", sub, http.StatusBadRequest, "",
			"\uff54\uff48\uff4f\uff52.example.com", // full width
			"thor\u3002example.com",                // a dot that is none
			"lo\u212ai.example.com",                // Kelvin sign
			"th\u00ador.example.com",               // soft hyphen
			"th\u200dor.example.com",               // zero width joiner
			"xn--thor-.example.com", "xn--.example.com", "xn--a.example.com", "xn--\u00fc.example.com",
			"\uff58n--thor-.example.com", "xn\uff0d\uff0dthor-.example.com",
			"thor.\uff45xample.com", "\xff\xfe.example.com"),
		hosts("address", sub, http.StatusNotFound, "",
			"127.0.0.1", "127.0.0.1:8080", "127.0.0.1.", "[::1]", "[::1]:8080", "[::ffff:127.0.0.1]", "10.0.0.1"),
	} {
		all = append(all, group...)
	}
	return append(
		all,
		Case{
			Name: "X-Forwarded-Host is not read", Resolver: sub, Host: "thor.example.com",
			Header: http.Header{
				"X-Forwarded-Host": {"potter.example.com"}, "Forwarded": {"host=potter.example.com"},
				"X-Host": {"potter.example.com"}, "X-Original-Host": {"potter.example.com"},
			},
			Status: http.StatusOK, Tenant: Active,
		},
		Case{
			Name: "X-Forwarded-Host does not stand in", Resolver: sub, Host: "127.0.0.1",
			Header: http.Header{"X-Forwarded-Host": {"potter.example.com"}},
			Status: http.StatusNotFound,
		},
	)
}

func targets(kind string, resolver httpmw.Resolver, status int, tenant tenancy.ID, names ...string) []Case {
	cases := hosts(kind, resolver, status, tenant, names...)
	for i := range cases {
		cases[i].Target, cases[i].Host = cases[i].Host, ""
	}
	return cases
}

func pathAttacks() []Case {
	path := httpmw.FromPath("/t")
	var all []Case
	for _, group := range [][]Case{
		targets("two readings", path, http.StatusBadRequest, "",
			"/t/../potter", "/t/thor/../potter", "/t/thor/../../t/potter", "/t/%2e%2e/potter", "/t/.%2E/potter",
			"/t/thor/%2e%2e/potter", "/t/./thor", "/t/%2e/thor", "/x/../t/thor", "/t/thor%2f..%2fpotter",
			"/t/thor%2Fpotter", "/t%2Fthor", "/t%2fthor/x", "/x/%2e%2e/t/thor", "/t/thor/a%2f%2e%2e%2fb"),
		targets("malformed", path, http.StatusBadRequest, "",
			"/t//thor", "/t//", "/t/Thor", "/t/THOR/x", "/t/thor%00", "/t/thor%20", "/t/thor,potter", "/t/thor;x",
			"/t/%252e%252e/potter", "/t/thor%5cpotter", "/t/www", "/t/public/x", "/t/th%C3%B6r", "/t/%EF%BD%94hor"),
		targets("not named", path, http.StatusNotFound, "",
			"/", "/t", "/t/", "/T/thor", "/tt/thor", "/thor", "//t/thor", "/x/t/thor", "/t?t/thor", "/%74"),
		targets("named", path, http.StatusOK, Active,
			"/t/thor", "/t/thor/", "/t/thor/polls", "/t/%74hor/polls", "/%74/thor", "/t/thor//x", "/t/thor/a%2fb",
			"/t/thor?t=potter", "/t/thor/t/potter", "http://potter.example.com/t/thor"),
	} {
		all = append(all, group...)
	}
	return all
}

func valueAttacks() []Case {
	head, query, cookie := httpmw.FromHeader("X-Tenant"), httpmw.FromQuery("tenant"), httpmw.FromCookie("tenant")
	tenant := func(values ...string) http.Header { return http.Header{"X-Tenant": values} }
	cookies := func(lines ...string) http.Header { return http.Header{"Cookie": lines} }
	bad, ok, none := http.StatusBadRequest, http.StatusOK, http.StatusNotFound
	return []Case{
		{Name: "header/twice", Resolver: head, Header: tenant("thor", "potter"), Status: bad},
		{Name: "header/twice, one empty", Resolver: head, Header: tenant("thor", ""), Status: bad},
		{Name: "header/twice, empty first", Resolver: head, Header: tenant("", "thor"), Status: bad},
		{Name: "header/twice, other case", Resolver: head, Header: tenant("thor", "THOR"), Status: bad},
		{Name: "header/joined", Resolver: head, Header: tenant("thor, potter"), Status: bad},
		{Name: "header/joined with itself", Resolver: head, Header: tenant("thor,thor"), Status: bad},
		{Name: "header/empty", Resolver: head, Header: tenant(""), Status: bad},
		{Name: "header/blank", Resolver: head, Header: tenant(" "), Status: bad},
		{Name: "header/quoted", Resolver: head, Header: tenant(`"thor"`), Status: bad},
		{Name: "header/SQL", Resolver: head, Header: tenant("thor'--"), Status: bad},
		{Name: "header/underscore twin", Resolver: head, Header: http.Header{"X_Tenant": {"thor"}}, Status: none},
		{Name: "header/absent", Resolver: head, Status: none},
		{Name: "header/same twice", Resolver: head, Header: tenant("thor", "thor"), Status: ok, Tenant: Active},

		{Name: "query/twice", Resolver: query, Target: "/?tenant=thor&tenant=potter", Status: bad},
		{Name: "query/twice, escaped", Resolver: query, Target: "/?tenant=thor&%74enant=potter", Status: bad},
		{Name: "query/semicolon", Resolver: query, Target: "/?tenant=thor;tenant=potter", Status: bad},
		{Name: "query/second half broken", Resolver: query, Target: "/?tenant=thor&tenant=pot%zzter", Status: bad},
		{Name: "query/empty", Resolver: query, Target: "/?tenant=", Status: bad},
		{Name: "query/no value", Resolver: query, Target: "/?tenant", Status: bad},
		{Name: "query/array", Resolver: query, Target: "/?tenant[]=thor", Status: none},
		{Name: "query/other case", Resolver: query, Target: "/?Tenant=thor", Status: none},
		{Name: "query/named", Resolver: query, Target: "/?a=b&tenant=thor", Status: ok, Tenant: Active},

		{Name: "cookie/twice", Resolver: cookie, Header: cookies("tenant=thor; tenant=potter"), Status: bad},
		{Name: "cookie/two lines", Resolver: cookie, Header: cookies("tenant=thor", "tenant=potter"), Status: bad},
		{Name: "cookie/empty", Resolver: cookie, Header: cookies("tenant="), Status: bad},
		{Name: "cookie/list", Resolver: cookie, Header: cookies("tenant=thor,potter"), Status: bad},
		{Name: "cookie/other name", Resolver: cookie, Header: cookies("Tenant=thor; xtenant=thor"), Status: none},
		{Name: "cookie/named", Resolver: cookie, Header: cookies("a=b; tenant=thor"), Status: ok, Tenant: Active},

		{Name: "claim/empty", Resolver: claim("", true, nil), Status: bad},
		{Name: "claim/malformed", Resolver: claim("../potter", true, nil), Status: bad},
		{Name: "claim/none", Resolver: claim("thor", false, nil), Status: none},
		{Name: "claim/down", Resolver: claim("thor", true, errors.New(causeText)), Status: http.StatusServiceUnavailable},
		{
			Name: "claim/down, whatever it wraps", Resolver: claim("", false, tenancy.ErrInvalidID),
			Status: http.StatusServiceUnavailable,
		},
		{Name: "claim/named", Resolver: claim("thor", true, nil), Status: ok, Tenant: Active},

		{Name: "resolver/unvalidated", Resolver: custom("../potter", nil), Status: bad},
		{Name: "resolver/nothing", Resolver: custom("", nil), Status: bad},
		{Name: "resolver/down", Resolver: custom("thor", errors.New(causeText)), Status: http.StatusServiceUnavailable},
	}
}

func claim(text string, ok bool, err error) httpmw.Resolver {
	return httpmw.FromClaim(func(*http.Request) (string, bool, error) { return text, ok, err })
}

func custom(id tenancy.ID, err error) httpmw.Resolver {
	return httpmw.ResolverFunc(func(*http.Request) (tenancy.ID, error) { return id, err })
}

func chainAttacks() []Case {
	chain := httpmw.Chain(httpmw.FromSubdomain("example.com"), httpmw.FromHeader("X-Tenant"), httpmw.FromQuery("tenant"))
	loose := httpmw.Chain(httpmw.FromHeader("X-Tenant"), httpmw.FromQuery("tenant"))
	thor, potter := http.Header{"X-Tenant": {"thor"}}, http.Header{"X-Tenant": {"potter"}}
	open := []httpmw.Option{httpmw.AllowCentral()}
	bad := http.StatusBadRequest
	return []Case{
		{Name: "chain/host and header", Resolver: chain, Host: "thor.example.com", Header: potter, Status: bad},
		{Name: "chain/host and query", Resolver: chain, Host: "thor.example.com", Target: "/?tenant=potter", Status: bad},
		{Name: "chain/third differs", Resolver: loose, Header: thor, Target: "/?tenant=potter", Status: bad},
		{Name: "chain/central and header", Resolver: chain, Options: open, Header: thor, Status: bad},
		{Name: "chain/address and header", Resolver: chain, Options: open, Host: "[::1]", Header: thor, Status: bad},
		{Name: "chain/malformed host", Resolver: chain, Host: "a@thor.example.com", Header: thor, Status: bad},
		{Name: "chain/no host", Resolver: chain, Host: Empty, Header: thor, Status: bad},
		{Name: "chain/foreign host", Resolver: chain, Host: "evil.org", Header: thor, Status: http.StatusNotFound},
		{
			Name: "chain/malformed header", Resolver: chain, Host: "thor.example.com",
			Header: http.Header{"X-Tenant": {""}}, Status: bad,
		},
		{Name: "chain/nothing", Resolver: loose, Status: http.StatusNotFound},
		{Name: "chain/one", Resolver: loose, Target: "/?tenant=thor", Status: http.StatusOK, Tenant: Active},
		{Name: "chain/central alone", Resolver: chain, Options: open, Status: http.StatusOK},
		{
			Name: "chain/all agree", Resolver: chain, Host: "thor.example.com", Header: thor, Target: "/?tenant=thor",
			Status: http.StatusOK, Tenant: Active,
		},
	}
}

func domains() []Case {
	table := httpmw.DomainMap(map[string]tenancy.ID{
		"polls.thor.org": Active, "bücher.example": Other, "potter.example.com": Active,
	})
	custom := httpmw.FromDomain(table, "example.com")
	down := httpmw.FromDomain(httpmw.DomainsFunc(func(context.Context, string) (tenancy.ID, error) {
		return "", errors.New(causeText)
	}), "example.com")
	wrong := httpmw.FromDomain(httpmw.DomainsFunc(func(context.Context, string) (tenancy.ID, error) {
		return "No Tenant", nil
	}))
	var all []Case
	for _, group := range [][]Case{
		hosts("domain/hijacked", custom, http.StatusOK, Other, "potter.example.com"),
		hosts("domain/unknown", custom, http.StatusNotFound, "",
			"thor.org", "x.polls.thor.org", "polls.thor.org.evil.org", "evil.org", "nobody.example.com", "127.0.0.1"),
		hosts("domain/malformed", custom, http.StatusBadRequest, "",
			"polls.thor.org@evil.org", "polls.thor.org..", "polls.thor.org,evil.org", Empty, "www.example.com"),
		hosts("domain/down", down, http.StatusServiceUnavailable, "", "polls.thor.org"),
		hosts("domain/bad table", wrong, http.StatusServiceUnavailable, "", "polls.thor.org"),
		hosts("domain/named", custom, http.StatusOK, Active,
			"polls.thor.org", "POLLS.Thor.ORG.", "polls.thor.org:8443", "thor.example.com"),
		hosts("domain/international", custom, http.StatusOK, Other,
			"bücher.example", "BÜCHER.example", "xn--bcher-kva.example"),
	} {
		all = append(all, group...)
	}
	return all
}

func states() []Case {
	sub := httpmw.FromSubdomain("example.com")
	down := http.StatusServiceUnavailable
	return []Case{
		{Name: "state/unknown", Resolver: sub, Host: "nobody.example.com", Status: http.StatusNotFound},
		{Name: "state/suspended", Resolver: sub, Host: "loki.example.com", Status: http.StatusForbidden},
		{Name: "state/maintenance", Resolver: sub, Host: "odin.example.com", Status: down, RetryAfter: "91"},
		{Name: "state/directory down", Resolver: sub, Host: "hela.example.com", Status: down},
		{Name: "HEAD/unknown", Resolver: sub, Method: "HEAD", Host: "nobody.example.com", Status: http.StatusNotFound},
		{Name: "HEAD/suspended", Resolver: sub, Method: "HEAD", Host: "loki.example.com", Status: http.StatusForbidden},
		{Name: "POST/unknown", Resolver: sub, Method: "POST", Host: "nobody.example.com", Status: http.StatusNotFound},
	}
}

func members() []Case {
	sub := httpmw.FromSubdomain("example.com")
	hook := func(err error) []httpmw.Option {
		return []httpmw.Option{httpmw.WithMembership(func(context.Context, *http.Request, tenancy.ID) error { return err })}
	}
	yes, no, hide := hook(nil), hook(httpmw.ErrNotMember), hook(tenancy.ErrUnknownTenant)
	bug := hook(errors.New(causeText))
	down := hook(fmt.Errorf("%w: %s", httpmw.ErrUnavailable, causeText))
	ok, forbidden, unknown, unavailable := http.StatusOK, http.StatusForbidden, http.StatusNotFound,
		http.StatusServiceUnavailable
	return []Case{
		{Name: "member/no", Resolver: sub, Options: no, Host: "thor.example.com", Status: forbidden},
		{Name: "member/any error", Resolver: sub, Options: bug, Host: "thor.example.com", Status: forbidden},
		{Name: "member/no, suspended", Resolver: sub, Options: no, Host: "loki.example.com", Status: forbidden},
		{Name: "member/no, maintenance", Resolver: sub, Options: no, Host: "odin.example.com", Status: forbidden},
		{Name: "member/no, unknown", Resolver: sub, Options: no, Host: "nobody.example.com", Status: unknown},
		{Name: "member/hidden", Resolver: sub, Options: hide, Host: "thor.example.com", Status: unknown},
		{Name: "member/hidden, suspended", Resolver: sub, Options: hide, Host: "loki.example.com", Status: unknown},
		{Name: "member/down", Resolver: sub, Options: down, Host: "thor.example.com", Status: unavailable},
		{Name: "member/yes, suspended", Resolver: sub, Options: yes, Host: "loki.example.com", Status: forbidden},
		{Name: "member/yes", Resolver: sub, Options: yes, Host: "thor.example.com", Status: ok, Tenant: Active},
	}
}

func central() []Case {
	sub := httpmw.FromSubdomain("example.com", "www.example.com", "Bücher.example.")
	open := []httpmw.Option{httpmw.AllowCentral()}
	var all []Case
	for _, c := range hosts("central/open", sub, http.StatusOK, "",
		"example.com", "EXAMPLE.com:8080", "example.com.", "www.example.com", "bücher.example", "127.0.0.1", "[::1]:80") {
		c.Options = open
		all = append(all, c)
	}
	all = append(all, hosts("central/closed", sub, http.StatusNotFound, "",
		"example.com", "www.example.com", "xn--bcher-kva.example", "127.0.0.1", "[::1]")...)
	for _, c := range hosts("central/not every host", sub, http.StatusNotFound, "", "evil.org", "nobody.example.com") {
		c.Options = open
		all = append(all, c)
	}
	return all
}

func plain() []Case {
	sub := httpmw.FromSubdomain("example.com")
	var all []Case
	for _, group := range [][]Case{
		hosts("host/named", sub, http.StatusOK, Active,
			"thor.example.com", "THOR.Example.COM", "thor.example.com:8080", "thor.example.com:", "thor.example.com.",
			"thor.example.com.:443"),
		hosts("host/international", sub, http.StatusOK, "xn--bcher-kva",
			"bücher.example.com", "BÜCHER.example.com", "xn--bcher-kva.example.com", "XN--Bcher-KVA.example.com"),
		hosts("host/underscore", sub, http.StatusOK, "my_team", "my_team.example.com"),
		hosts("host/two hyphens", sub, http.StatusOK, "a--b", "a--b.example.com"),
	} {
		all = append(all, group...)
	}
	return all
}
