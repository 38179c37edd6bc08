package polls

import (
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"
)

// apiRoot lists where to go from here.
func (a *App) apiRoot(c *gin.Context) error {
	c.JSON(http.StatusOK, gin.H{
		"polls": "/polls/", "users": "/users/", "login": "/login/", "description": "/openapi.json", "admin": "/admin/",
	})
	return nil
}

func (a *App) login(c *gin.Context) error {
	var in signIn
	if err := decode(c, &in); err != nil {
		return err
	}
	ctx := c.Request.Context()
	user, err := a.accounts.authenticate(ctx, in, NetworkOf(c.ClientIP()))
	if err != nil {
		return err
	}
	key, err := a.issueToken(ctx, user.ID)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"token": key})
	return nil
}

func (a *App) createUser(c *gin.Context) error {
	var in newUser
	if err := decode(c, &in); err != nil {
		return err
	}
	user, err := a.accounts.create(c.Request.Context(), in, User{})
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, gin.H{"username": user.Username, "email": user.Email})
	return nil
}

func (a *App) listPolls(c *gin.Context) error {
	polls, _, err := a.newest(c.Request.Context(), pageNumber(c), withVotes)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, polls)
	return nil
}

func (a *App) createPoll(c *gin.Context) error {
	var in newPoll
	if err := decode(c, &in); err != nil {
		return err
	}
	poll, err := create(c.Request.Context(), a.db, current(c).ID, in.Question, in.Choices)
	if err != nil {
		return err
	}
	c.Header("Location", fmt.Sprintf("/polls/%d/", poll.ID))
	c.JSON(http.StatusCreated, poll)
	return nil
}

func (a *App) readPoll(c *gin.Context) error {
	id, err := number(c, "id")
	if err != nil {
		return err
	}
	return a.showPoll(c, id)
}

func (a *App) showPoll(c *gin.Context, id int64) error {
	poll, err := a.poll(c.Request.Context(), id, withVotes)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, poll)
	return nil
}

func (a *App) replacePoll(c *gin.Context) error { return a.changePoll(c, true) }

func (a *App) patchPoll(c *gin.Context) error { return a.changePoll(c, false) }

// changePoll gives the user's own poll another question. A whole poll (PUT) has one.
func (a *App) changePoll(c *gin.Context, whole bool) error {
	id, err := number(c, "id")
	if err != nil {
		return err
	}
	var in changedPoll
	if err := decode(c, &in); err != nil {
		return err
	}
	ctx := c.Request.Context()
	if _, err := a.own(ctx, current(c), id, "You can not change this poll."); err != nil {
		return err
	}
	if in.Question == nil && whole {
		return badRequest("question is missing")
	}
	if in.Question != nil {
		if err := a.rename(ctx, id, *in.Question); err != nil {
			return err
		}
	}
	return a.showPoll(c, id)
}

func (a *App) deletePoll(c *gin.Context) error {
	id, err := number(c, "id")
	if err != nil {
		return err
	}
	if err := a.remove(c.Request.Context(), current(c), id); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

func (a *App) listChoices(c *gin.Context) error {
	id, err := number(c, "id")
	if err != nil {
		return err
	}
	poll, err := a.poll(c.Request.Context(), id, withVotes)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, poll.Choices)
	return nil
}

func (a *App) createChoice(c *gin.Context) error {
	id, err := number(c, "id")
	if err != nil {
		return err
	}
	var in newChoice
	if err := decode(c, &in); err != nil {
		return err
	}
	choice, err := a.addChoice(c.Request.Context(), current(c), id, in.ChoiceText)
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, choice)
	return nil
}

func (a *App) createVote(c *gin.Context) error {
	pollID, err := number(c, "id")
	if err != nil {
		return err
	}
	choiceID, err := number(c, "choice")
	if err != nil {
		return err
	}
	if err := decode(c, &newVote{}); err != nil {
		return err
	}
	vote, err := a.vote(c.Request.Context(), current(c), pollID, choiceID)
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, vote)
	return nil
}

func (a *App) readResults(c *gin.Context) error {
	id, err := number(c, "id")
	if err != nil {
		return err
	}
	r, err := a.results(c.Request.Context(), id)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, r)
	return nil
}
