package main

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"
)

func (h *handlers) listPage(c *gin.Context) {
	polls, err := h.list(c.Request.Context())
	if err != nil {
		fail(c, err)
		return
	}
	c.HTML(http.StatusOK, "list.html", page(c, gin.H{"Title": "Polls", "Polls": polls}))
}

func (h *handlers) pollPage(c *gin.Context) {
	id, err := pollID(c)
	if err != nil {
		fail(c, err)
		return
	}
	poll, err := h.poll(c.Request.Context(), id)
	if err != nil {
		fail(c, err)
		return
	}
	voted, err := h.voted(c.Request.Context(), id, visitor(c))
	if err != nil {
		fail(c, err)
		return
	}
	c.HTML(http.StatusOK, "poll.html", page(c, gin.H{"Title": poll.Question, "Poll": poll, "Voted": voted}))
}

func (h *handlers) voteForm(c *gin.Context) {
	id, err := pollID(c)
	if err != nil {
		fail(c, err)
		return
	}
	if err := c.Request.ParseForm(); err != nil {
		fail(c, badForm(err))
		return
	}
	choice, err := strconv.ParseInt(c.Request.PostForm.Get("choice"), 10, 64)
	if err != nil {
		fail(c, badRequest("pick one of the choices"))
		return
	}
	vote := Vote{PollID: id, ChoiceID: choice, Voter: visitor(c)}
	if err := h.vote(c.Request.Context(), &vote); err != nil {
		fail(c, err)
		return
	}
	c.Redirect(http.StatusSeeOther, fmt.Sprintf("/polls/%d/results", id))
}

func (h *handlers) resultsPage(c *gin.Context) {
	id, err := pollID(c)
	if err != nil {
		fail(c, err)
		return
	}
	r, err := h.results(c.Request.Context(), id)
	if err != nil {
		fail(c, err)
		return
	}
	c.HTML(http.StatusOK, "results.html", page(c, gin.H{"Title": r.Question, "Results": r}))
}

const visitorCookie = "visitor"

// visitor returns the random name this browser votes under, and gives it one when it has none. The cookie has no
// Domain, so a browser keeps one for each host. Behind TLS make it Secure and begin its name with __Host-.
func visitor(c *gin.Context) string {
	if old, err := c.Request.Cookie(visitorCookie); err == nil && old.Value != "" && len(old.Value) <= maxVoter {
		return old.Value
	}
	name := rand.Text()
	http.SetCookie(c.Writer, &http.Cookie{
		Name: visitorCookie, Value: name, Path: "/", MaxAge: 365 * 24 * 3600,
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	return name
}

// page adds what the frame of every page shows.
func page(c *gin.Context, data gin.H) gin.H {
	data["Site"] = c.Request.Host
	if host, _, err := net.SplitHostPort(c.Request.Host); err == nil {
		data["Site"] = host
	}
	return data
}
