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
	t.Parallel()
	const voters = 30
	s := newSite(t)
	var wg sync.WaitGroup
	var stored, refused atomic.Int64
	for i := range 2 * voters {
		for _, host := range []string{thor, potter} {
			wg.Go(func() {
				body := fmt.Sprintf(`{"choice_id":%d,"voter":"v%d"}`, i%3+1, i%voters)
				switch w := s.post(host, "/api/polls/1/votes", body); w.Code {
				case http.StatusCreated:
					stored.Add(1)
				case http.StatusConflict:
					refused.Add(1)
				default:
					t.Errorf("%s: status %d: %s", host, w.Code, w.Body)
				}
			})
		}
	}
	wg.Wait()
	if stored.Load() != 2*voters || refused.Load() != 2*voters {
		t.Errorf("%d stored and %d refused, want %d each", stored.Load(), refused.Load(), 2*voters)
	}
	for _, host := range []string{thor, potter} {
		r := decoded[results](t, s.get(host, "/api/polls/1/results"), 200)
		if r.Total != voters || r.Choices[0].Votes != voters/3 || r.Choices[2].Votes != voters/3 {
			t.Errorf("%s: %+v", host, r)
		}
	}
}

// TestConcurrentIDs: polls and choices made at once get the next numbers, in each tenant without gaps.
func TestConcurrentIDs(t *testing.T) {
	t.Parallel()
	const each = 15
	s := newSite(t)
	var wg sync.WaitGroup
	for range each {
		for _, host := range []string{thor, potter} {
			wg.Go(func() {
				if w := s.post(host, "/api/polls", `{"question":"q","choices":["a","b"]}`); w.Code != http.StatusCreated {
					t.Errorf("poll: status %d: %s", w.Code, w.Body)
				}
			})
			wg.Go(func() {
				if w := s.post(host, "/api/polls/1/choices", `{"text":"one more"}`); w.Code != http.StatusCreated {
					t.Errorf("choice: status %d: %s", w.Code, w.Body)
				}
			})
		}
	}
	wg.Wait()
	db := s.raw(t)
	for _, tenant := range []string{"thor", "potter"} {
		for table, want := range map[string]int{"polls": 2 + each, "choices": 6 + 3*each} {
			var n, highest int
			query := "SELECT count(*), max(id) FROM " + table + " WHERE tenant_id = ?"
			err := db.QueryRowContext(t.Context(), query, tenant).Scan(&n, &highest)
			if err != nil || n != want || highest != want {
				t.Errorf("%s of %s: %d rows up to id %d (%v), want %d", table, tenant, n, highest, err, want)
			}
		}
	}
}
