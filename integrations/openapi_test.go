package integrations_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/gin-gonic/gin"
	"golang.org/x/crypto/bcrypt"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy/example/polls/polls"
)

// described is the application of the example together with its description.
type described struct {
	*testing.T
	app    http.Handler
	doc    *openapi3.T
	router routers.Router
	token  string
	seen   map[string]bool // operations with the status of an answer that fitted
}

func newDescribed(t *testing.T) *described {
	t.Helper()
	db, err := gorm.Open(sqlite.Open(filepath.Join(t.TempDir(), "polls.db")+"?_foreign_keys=on"),
		&gorm.Config{TranslateError: true, Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	if err := db.AutoMigrate(polls.Models()...); err != nil {
		t.Fatal(err)
	}
	app, err := polls.New(db, polls.Options{PasswordCost: bcrypt.MinCost})
	if err != nil {
		t.Fatal(err)
	}
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	app.Mount(engine)
	d := &described{T: t, app: engine, seen: map[string]bool{}}
	w := httptest.NewRecorder()
	engine.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/openapi.json", nil))
	if d.doc, err = openapi3.NewLoader().LoadFromData(w.Body.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := d.doc.Validate(t.Context(), openapi3.IsOpenAPI31OrLater()); err != nil {
		t.Fatalf("the description is not OpenAPI 3.1: %v", err)
	}
	if d.router, err = gorillamux.NewRouter(d.doc); err != nil {
		t.Fatal(err)
	}
	return d
}

// ask sends a request and holds what comes back against the description. A request that is answered well has to fit, too.
func (d *described) ask(method, path, body string, status int) string {
	d.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if d.token != "" {
		r.Header.Set("Authorization", "Token "+d.token)
	}
	w := httptest.NewRecorder()
	d.app.ServeHTTP(w, r)
	if w.Code != status {
		d.Fatalf("%s %s: status %d, want %d: %s", method, path, w.Code, status, w.Body)
	}
	if err := d.fits(method, path, body, w.Code, w.Header(), w.Body.Bytes()); err != nil {
		d.Errorf("%s %s: %v", method, path, err)
	}
	return w.Body.String()
}

func (d *described) fits(method, path, body string, status int, header http.Header, answer []byte) error {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	route, params, err := d.router.FindRoute(r)
	if err != nil {
		return err
	}
	options := &openapi3filter.Options{
		IncludeResponseStatus: true, MultiError: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
	}
	request := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: options}
	if status < 400 {
		if err := openapi3filter.ValidateRequest(d.Context(), request); err != nil {
			return err
		}
	}
	err = openapi3filter.ValidateResponse(d.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: request, Status: status, Header: header, Options: options,
		Body: io.NopCloser(bytes.NewReader(answer)),
	})
	if err == nil && status < 400 {
		d.seen[route.Operation.OperationID] = true
	}
	return err
}

// TestOpenAPI calls every operation that is described, well and wrongly, and holds the answers against the description.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	d := newDescribed(t)
	d.ask("GET", "/", "", 200)
	d.ask("GET", "/openapi.json", "", 200)
	d.ask("GET", "/polls/", "", 401)
	d.ask("POST", "/users/", `{"username":"jane","password":"password1"}`, 201)
	d.ask("POST", "/users/", `{"username":"jane","password":"password1"}`, 400)
	d.ask("POST", "/login/", `{"username":"jane","password":"wrong"}`, 400)
	answer := d.ask("POST", "/login/", `{"username":"jane","password":"password1"}`, 200)
	d.token = strings.Split(answer, `"`)[3]

	d.ask("GET", "/polls/", "", 200)
	d.ask("POST", "/polls/", `{"question":"Tea?","choices":["Yes","No"],"created_by":7}`, 201)
	d.ask("POST", "/polls/", `{"question":""}`, 400)
	d.ask("POST", "/polls/", `{"question":"`+strings.Repeat("x", 64<<10)+`"}`, 413)
	d.ask("POST", "/polls/1/choices/", `{"choice_text":"Later"}`, 201)
	d.ask("POST", "/polls/1/choices/2/vote/", "", 201)
	d.ask("POST", "/polls/1/choices/2/vote/", `{"voted_by":3}`, 400)
	d.ask("POST", "/polls/1/choices/9/vote/", "", 404)
	d.ask("GET", "/polls/", "", 200)
	d.ask("GET", "/polls/1/", "", 200)
	d.ask("GET", "/polls/1/choices/", "", 200)
	d.ask("GET", "/polls/1/results/", "", 200)
	d.ask("PUT", "/polls/1/", `{"question":"Coffee?"}`, 200)
	d.ask("PATCH", "/polls/1/", "", 200)
	d.ask("GET", "/polls/9/", "", 404)
	d.ask("DELETE", "/polls/1/", "", 204)

	for path, item := range d.doc.Paths.Map() {
		for method, operation := range item.Operations() {
			if !d.seen[operation.OperationID] {
				t.Errorf("%s %s was never answered well", method, path)
			}
		}
	}
	for name, wrong := range map[string]string{
		"a field more": `{"id":1,"choices":[],"question":"q","pub_date":"2026-01-01T00:00:00Z","created_by":1,"owner":"x"}`,
		"a field less": `{"id":1,"choices":[],"question":"q","created_by":1}`,
		"another type": `{"id":"1","choices":[],"question":"q","pub_date":"2026-01-01T00:00:00Z","created_by":1}`,
	} {
		header := http.Header{"Content-Type": {"application/json"}}
		if err := d.fits("GET", "/polls/1/", "", 200, header, []byte(wrong)); err == nil {
			t.Errorf("%s fits the description", name)
		}
	}
}
