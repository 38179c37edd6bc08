package main

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
)

// TestConcurrentVotes: everybody votes twice at once in both tenants; exactly one of the two counts.
func TestConcurrentVotes(t *testing.T) {
	const voters = 8
	everywhere(t, func(t *testing.T, s *site) {
		for i := range voters {
			for _, host := range []string{thor, potter} {
				s.signUp(host, fmt.Sprintf("v%d", i))
			}
		}
		var wg sync.WaitGroup
		var stored, refused atomic.Int64
		for i := range 2 * voters {
			for _, host := range []string{thor, potter} {
				wg.Go(func() {
					path := fmt.Sprintf("/polls/1/choices/%d/vote/", i%2+1)
					switch a := s.api(host, fmt.Sprintf("v%d", i%voters), "POST", path, ""); a.Code {
					case http.StatusCreated:
						stored.Add(1)
					case http.StatusBadRequest:
						refused.Add(1)
					default:
						t.Errorf("%s: status %d: %s", host, a.Code, a.Body)
					}
				})
			}
		}
		wg.Wait()
		if stored.Load() != 2*voters || refused.Load() != 2*voters {
			t.Errorf("%d stored and %d refused, want %d each", stored.Load(), refused.Load(), 2*voters)
		}
		for _, host := range []string{thor, potter} {
			s.api(host, "jane", "GET", "/polls/1/results/", "").want(200).shows(fmt.Sprintf(`"total":%d,`, voters))
		}
	})
}

// TestConcurrentIDs: polls and choices made at once get ids that nobody else has, in each tenant from 1 on.
func TestConcurrentIDs(t *testing.T) {
	const each = 8
	everywhere(t, func(t *testing.T, s *site) {
		var wg sync.WaitGroup
		for range each {
			for _, host := range []string{thor, potter} {
				wg.Go(func() {
					if a := s.api(host, "jane", "POST", "/polls/", `{"question":"q","choices":["a","b"]}`); a.Code != http.StatusCreated {
						t.Errorf("poll: status %d: %s", a.Code, a.Body)
					}
				})
				wg.Go(func() {
					a := s.api(host, superuser, "POST", "/polls/1/choices/", `{"choice_text":"one more"}`)
					if a.Code != http.StatusCreated {
						t.Errorf("choice: status %d: %s", a.Code, a.Body)
					}
				})
			}
		}
		wg.Wait()
		for tenant, before := range map[string][2]int{"thor": {3, 8}, "potter": {2, 6}} {
			db, prefix := s.raw(tenant)
			for i, table := range []string{"polls", "choices"} {
				var n, highest int
				query := fmt.Sprintf("SELECT count(*), max(id) FROM %s%s WHERE tenant_id = '%s'", prefix, table, tenant)
				err := db.QueryRowContext(t.Context(), query).Scan(&n, &highest)
				if want := before[i] + each*(1+2*i); err != nil || n != want || highest != want {
					t.Errorf("%s of %s: %d rows up to id %d (%v), want %d", table, tenant, n, highest, err, want)
				}
			}
		}
	})
}
