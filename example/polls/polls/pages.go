package polls

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/gin-gonic/gin/render"
)

// page writes a page, with what the frame of every page shows.
func (a *App) page(c *gin.Context, status int, name string, data gin.H) {
	data["Site"] = c.Request.Host
	if host, _, err := net.SplitHostPort(c.Request.Host); err == nil {
		data["Site"] = host
	}
	data["User"] = current(c)
	c.Render(status, render.HTML{Template: a.templates, Name: name, Data: data})
}

// refused returns what a form that was refused says beside the fields, which keep what was typed; other errors are errors.
func refused(err error) (p problem, ok bool) {
	ok = errors.As(err, &p) && (p.Status == http.StatusBadRequest || p.Status == http.StatusTooManyRequests)
	return p, ok
}

func (a *App) frontPage(c *gin.Context) error {
	if current(c) != nil {
		return a.listPage(c)
	}
	a.page(c, http.StatusOK, "front.html", gin.H{"Title": "Welcome"})
	return nil
}

func (a *App) listPage(c *gin.Context) error {
	n := pageNumber(c)
	polls, total, err := a.newest(c.Request.Context(), n)
	if err != nil {
		return err
	}
	a.page(c, http.StatusOK, "list.html", gin.H{"Title": "Polls", "Polls": polls, "Pages": pagesOf("/polls/?page=", n, total, listed)})
	return nil
}

func (a *App) pollPage(c *gin.Context) error {
	id, err := number(c, "id")
	if err != nil {
		return err
	}
	return a.showPollPage(c, id, http.StatusOK, "")
}

func (a *App) showPollPage(c *gin.Context, id int64, status int, wrong string) error {
	poll, err := a.poll(c.Request.Context(), id, withChoices)
	if err != nil {
		return err
	}
	voted, err := a.voted(c.Request.Context(), current(c), id)
	if err != nil {
		return err
	}
	a.page(c, status, "poll.html", gin.H{
		"Title": poll.Question, "Poll": poll, "Voted": voted, "Mine": poll.CreatedByID == current(c).ID, "Error": wrong,
	})
	return nil
}

func (a *App) voteForm(c *gin.Context) error {
	id, err := number(c, "id")
	if err != nil {
		return err
	}
	in, err := form(c)
	if err != nil {
		return err
	}
	choice, err := strconv.ParseInt(in.Get("choice"), 10, 64)
	if err != nil {
		return a.showPollPage(c, id, http.StatusBadRequest, "Pick one of the choices.")
	}
	if _, err := a.vote(c.Request.Context(), current(c), id, choice); err != nil {
		if p, ok := refused(err); ok {
			return a.showPollPage(c, id, p.Status, p.Detail)
		}
		return err
	}
	c.Redirect(http.StatusSeeOther, fmt.Sprintf("/polls/%d/results/", id))
	return nil
}

func (a *App) resultsPage(c *gin.Context) error {
	id, err := number(c, "id")
	if err != nil {
		return err
	}
	r, err := a.results(c.Request.Context(), id)
	if err != nil {
		return err
	}
	a.page(c, http.StatusOK, "results.html", gin.H{"Title": r.Question, "Results": r})
	return nil
}

func (a *App) newPollPage(c *gin.Context) error {
	a.page(c, http.StatusOK, "new.html", gin.H{"Title": "New poll", "Choices": "Yes\nNo"})
	return nil
}

// newPollForm reads one choice from each line.
func (a *App) newPollForm(c *gin.Context) error {
	values, err := form(c)
	if err != nil {
		return err
	}
	in := newPoll{Question: values.Get("question")}
	for line := range strings.Lines(values.Get("choices")) {
		if line = strings.TrimSpace(line); line != "" {
			in.Choices = append(in.Choices, line)
		}
	}
	err = in.validate()
	if err == nil && len(in.Choices) < 2 {
		err = badRequest("give at least two choices, one on each line")
	}
	if p, ok := refused(err); ok {
		a.page(c, p.Status, "new.html", gin.H{
			"Title": "New poll", "Question": values.Get("question"), "Choices": values.Get("choices"), "Error": p.Detail,
		})
		return nil
	}
	poll, err := create(c.Request.Context(), a.db, current(c).ID, in.Question, in.Choices)
	if err != nil {
		return err
	}
	c.Redirect(http.StatusSeeOther, fmt.Sprintf("/polls/%d/", poll.ID))
	return nil
}

func (a *App) deletePage(c *gin.Context) error {
	id, err := number(c, "id")
	if err != nil {
		return err
	}
	poll, err := a.own(c.Request.Context(), current(c), id, "You can not delete this poll.")
	if err != nil {
		return err
	}
	a.page(c, http.StatusOK, "delete.html", gin.H{"Title": "Delete a poll", "Poll": poll})
	return nil
}

func (a *App) deleteForm(c *gin.Context) error {
	id, err := number(c, "id")
	if err != nil {
		return err
	}
	if err := a.remove(c.Request.Context(), current(c), id); err != nil {
		return err
	}
	c.Redirect(http.StatusSeeOther, "/")
	return nil
}

// pages are the links from one page of a list to its neighbours; empty where there is none.
type pages struct {
	Number, Of     int
	Newer, Further string
}

func pagesOf(link string, n int, total int64, size int) pages {
	p := pages{Number: n, Of: max(1, int((total+int64(size)-1)/int64(size)))}
	if n > 1 {
		p.Newer = link + strconv.Itoa(min(n-1, p.Of))
	}
	if n < p.Of {
		p.Further = link + strconv.Itoa(n+1)
	}
	return p
}
