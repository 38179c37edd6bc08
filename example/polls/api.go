package main

import (
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"
)

func (h *handlers) listPolls(c *gin.Context) {
	polls, err := h.list(c.Request.Context())
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusOK, gin.H{"polls": polls})
}

func (h *handlers) createPoll(c *gin.Context) {
	var in newPoll
	if err := decode(c, &in); err != nil {
		fail(c, err)
		return
	}
	poll, err := h.create(c.Request.Context(), in)
	if err != nil {
		fail(c, err)
		return
	}
	c.Header("Location", fmt.Sprintf("%spolls/%d", apiPrefix, poll.ID))
	c.JSON(http.StatusCreated, poll)
}

func (h *handlers) readPoll(c *gin.Context) {
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
	c.JSON(http.StatusOK, poll)
}

func (h *handlers) createChoice(c *gin.Context) {
	id, err := pollID(c)
	if err != nil {
		fail(c, err)
		return
	}
	var in newChoice
	if err := decode(c, &in); err != nil {
		fail(c, err)
		return
	}
	choice, err := h.addChoice(c.Request.Context(), id, in.Text)
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusCreated, choice)
}

// createVote takes the voter's name from the body: the example has no accounts. An application with log-in takes it
// from the log-in, or everybody votes for everybody.
func (h *handlers) createVote(c *gin.Context) {
	id, err := pollID(c)
	if err != nil {
		fail(c, err)
		return
	}
	var in newVote
	if err := decode(c, &in); err != nil {
		fail(c, err)
		return
	}
	vote := Vote{PollID: id, ChoiceID: in.ChoiceID, Voter: in.Voter}
	if err := h.vote(c.Request.Context(), &vote); err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusCreated, vote)
}

func (h *handlers) readResults(c *gin.Context) {
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
	c.JSON(http.StatusOK, r)
}
