// Package httpmw finds the tenant of an HTTP request and puts it into the request's context.
//
// A [Resolver] reads the name of the tenant from one place of the request: the host, the path, a header, a query
// parameter, a cookie or the claim of a verified token. [Chain] asks several and refuses a request whose sources
// disagree. A [Directory] says whether that tenant exists and may be served. A [Membership], if there is one, says
// whether this user may act for it. Whoever passes all three reaches the next handler with [tenancy.WithTenant]:
//
//	mw, err := httpmw.New(httpmw.FromSubdomain("example.com"), directory)
//	if err != nil {
//		return err
//	}
//	http.ListenAndServe(":8080", mw.Handler(mux))
//
// Whoever does not pass gets a problem document (RFC 9457) that names no tenant and no cause:
//
//	400  the name is malformed, or the sources name different tenants
//	403  the tenant is suspended, or the user is not a member; the two look the same
//	404  no tenant is named, it is unknown, the host is not ours, or the host is the central one (see [AllowCentral])
//	503  the tenant is in maintenance, or the directory cannot answer
//
// A name in a request is a wish, not a proof. The comment on each constructor says when the source may be trusted.
// In short: a source that clients write themselves needs [WithMembership], or a handler behind it that checks the
// user against the tenant. The headers X-Forwarded-Host and Forwarded are never read: a proxy in front must pass
// Host on.
//
// The package is plain net/http, so it works with every router that takes func(http.Handler) http.Handler, such as
// chi (r.Use(mw.Handler)) and echo (e.Use(echo.WrapMiddleware(mw.Handler))). For gin there is package ginmw.
package httpmw
