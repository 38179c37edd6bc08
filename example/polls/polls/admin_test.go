package polls_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy/example/polls/polls"
)

// staffed is a site with the superuser root, the staff member clerk, and owner's poll 1 with choices 1 and 2.
func staffed(t *testing.T) (s *site, root, clerk *browser) {
	t.Helper()
	s, _ = asked(t)
	_, err := polls.CreateSuperuser(t.Context(), s.db, "root", "", password)
	s.must(err)
	s.user("clerk")
	s.must(s.db.Model(&polls.User{}).Where("username = 'clerk'").Update("is_staff", true).Error)
	return s, s.signIn("root"), s.signIn("clerk")
}

// TestAdminDoor: only staff enter, and only superusers manage accounts.
func TestAdminDoor(t *testing.T) {
	t.Parallel()
	s, root, clerk := staffed(t)
	owner := s.signIn("owner")
	s.keeps(func() {
		for _, r := range s.engine.Routes() {
			if !strings.HasPrefix(r.Path, "/admin/") {
				continue
			}
			for _, section := range []string{"polls", "users"} {
				path := strings.NewReplacer(":id", "1", ":section", section).Replace(r.Path)
				owner.send(r.Method, path, "question=q").want(403).shows("only staff").hides("Tea?")
			}
		}
		clerk.post("/admin/users/1/", "username", "owner", "is_superuser", "on").want(403).shows("only superusers")
		clerk.post("/admin/users/3/", "username", "clerk", "is_superuser", "on", "is_staff", "on").want(403)
		clerk.post("/admin/users/add/", "username", "new", "password", password).want(403)
		clerk.post("/admin/users/1/delete/").want(403)
		clerk.get("/admin/users/1/delete/").want(403)
		root.post("/admin/votes/add/").want(403)
		root.post("/admin/votes/1/delete/").want(403).shows("only read")
		root.get("/admin/nothing/").want(404)
		root.get("/admin/polls/99/").want(404)
		root.post("/admin/polls/99/", "question", "q", "created_by", "1").want(404)
		root.post("/admin/polls/99/delete/").want(404)
	})
	clerk.get("/admin/users/").want(200).shows("owner").hides("Add a user")
	clerk.get("/admin/users/1/").want(200).shows("owner@example.com").hides("<input", ">Save<")
	clerk.get("/").shows(`href="/admin/"`)
	root.get("/admin/").want(200).shows("Polls", "Choices", "Votes", "Users")
}

func TestAdminPolls(t *testing.T) {
	t.Parallel()
	s, _, clerk := staffed(t)
	clerk.get("/admin/polls/").want(200).shows("Tea?", "owner", "1 poll", "Add a poll")
	clerk.get("/admin/polls/add/").want(200).shows(`<option value="1">owner</option>`, `<option value="2">root</option>`).hides("pub_date")
	clerk.post("/admin/polls/add/", "question", "Milk?", "created_by", "2").to("/admin/polls/?done=saved")
	clerk.get("/admin/polls/?done=saved").shows("Saved.", "Milk?", "2 polls")
	clerk.get("/admin/polls/2/").want(200).shows(`value="Milk?"`, `<option value="2" selected>root</option>`, "Published").hides(`name="pub_date"`)
	var before, after polls.Poll
	s.must(s.db.Take(&before, "id = 2").Error)
	clerk.post("/admin/polls/2/", "question", "Milk!", "created_by", "1", "pub_date", "2001-01-01", "id", "7").to("/admin/polls/?done=saved")
	s.must(s.db.Take(&after, "id = 2").Error)
	if after.Question != "Milk!" || after.CreatedByID != 1 || after.PubDate.Before(before.PubDate) {
		t.Errorf("saved %+v", after)
	}
	s.keeps(func() {
		clerk.post("/admin/polls/2/", "question", "", "created_by", "1").want(400).shows("question is missing")
		clerk.post("/admin/polls/2/", "question", "Kept?", "created_by", "99").want(400).shows("not in the list", `value="Kept?"`)
		clerk.post("/admin/polls/add/", "question", "Kept?", "created_by", "").want(400).shows("created_by is missing")
	})
	clerk.get("/admin/polls/1/delete/").want(200).shows("its choices and their votes", "Tea?")
	clerk.post("/admin/polls/1/delete/").to("/admin/polls/?done=deleted")
	clerk.get("/admin/choices/").want(200).shows("0 choices")
}

func TestAdminChoices(t *testing.T) {
	t.Parallel()
	s, _, clerk := staffed(t)
	clerk.get("/admin/choices/add/").want(200).shows(`<option value="1">Tea?</option>`)
	clerk.post("/admin/choices/add/", "choice_text", "Later", "poll", "1").to("/admin/choices/?done=saved")
	clerk.get("/admin/choices/").shows("Later", "Tea?", "3 choices")
	s.user("other").send("POST", "/polls/", `{"question":"Other?"}`).want(201)
	clerk.post("/admin/choices/3/", "choice_text", "Never", "poll", "2").to("/admin/choices/?done=saved")
	var choice polls.Choice
	s.must(s.db.Take(&choice, "id = 3").Error)
	if choice.ChoiceText != "Never" || choice.PollID != 1 {
		t.Errorf("saved %+v", choice)
	}
	s.keeps(func() {
		clerk.post("/admin/choices/add/", "choice_text", "x", "poll", "99").want(400).shows("not in the list")
		clerk.post("/admin/choices/3/", "choice_text", " ").want(400).shows("choice_text is missing")
	})
	clerk.post("/admin/choices/3/delete/").to("/admin/choices/?done=deleted")
}

func TestAdminVotes(t *testing.T) {
	t.Parallel()
	s, _, clerk := staffed(t)
	s.signIn("owner").post("/polls/1/vote/", "choice", "2").want(303)
	clerk.get("/admin/votes/").want(200).shows("owner", "No", "Tea?", "1 vote").hides("Add a vote")
	clerk.get("/admin/votes/1/").want(200).shows("owner", "No").hides("<input", ">Save<", ">Delete<")
	clerk.get("/admin/votes/?q=OWN").want(200).shows("1 vote")
	clerk.get("/admin/votes/?q=root").want(200).shows("0 votes")
	clerk.get("/admin/votes/add/").want(403)
}

func TestAdminUsers(t *testing.T) {
	t.Parallel()
	s, root, _ := staffed(t)
	root.post("/admin/users/add/", "username", "new", "email", "new@example.com", "password", password, "is_staff", "on").to("/admin/users/?done=saved")
	added := s.signIn("new")
	added.get("/admin/").want(200)
	root.post("/admin/users/4/", "email", "other@example.com", "password", "", "username", "ignored").to("/admin/users/?done=saved")
	added.get("/admin/").want(403)
	added.get("/").want(200).shows("Sign out new")
	root.get("/admin/users/?q=other@").shows("1 user")
	token := s.user("writer")
	root.post("/admin/users/4/", "email", "", "password", "another password").to("/admin/users/?done=saved")
	added.get("/").want(200).shows("Welcome") // its session ended with the password
	token.send("GET", "/polls/", "").want(200)
	root.post("/admin/users/5/", "email", "", "password", "another password").to("/admin/users/?done=saved")
	token.send("GET", "/polls/", "").want(401)
	s.visitor().post("/signin/", "username", "new", "password", password).want(400)
	s.visitor().post("/signin/", "username", "new", "password", "another password").want(303)
	s.keeps(func() {
		root.post("/admin/users/2/", "email", "").want(400).shows("your own rights")
		root.post("/admin/users/2/delete/").want(403).shows("your own account")
		root.post("/admin/users/4/", "email", "x", "password", "").want(400).shows("email")
		root.post("/admin/users/4/", "email", "", "password", "short").want(400).shows("shorter than").hides("short\"")
		root.post("/admin/users/add/", "username", "NEW", "password", password).want(400).shows("exists already", `value="NEW"`)
	})
	root.get("/admin/users/1/delete/").want(200).shows("polls, votes, sessions")
	root.post("/admin/users/1/delete/").to("/admin/users/?done=deleted")
	root.get("/admin/polls/").shows("0 polls")
}

// TestAdminSearch: signs that mean something in a pattern mean themselves, and a long list has pages.
func TestAdminSearch(t *testing.T) {
	t.Parallel()
	s, _, clerk := staffed(t)
	owner := program{site: s, header: s.user("writer").header}
	for _, q := range []string{"100% sure?", "a_b", "wow!", "It's"} {
		owner.send("POST", "/polls/", fmt.Sprintf(`{"question":%q}`, q)).want(201)
	}
	for search, want := range map[string]string{
		"": "5 polls", "TEA": "1 poll", "%25": "1 poll", "_": "1 poll", "!": "1 poll", "'": "1 poll", "nothing": "0 polls", "%25%25": "0 polls",
		"' OR 1=1 --": "0 polls",
	} {
		clerk.get("/admin/polls/?q=" + strings.ReplaceAll(search, " ", "+")).want(200).shows("<caption>" + want)
	}
	for range 50 {
		owner.send("POST", "/polls/", `{"question":"Again & again?"}`).want(201)
	}
	clerk.get("/admin/polls/?q=again+%26").want(200).shows("50 polls").hides("Page 1")
	clerk.get("/admin/polls/").want(200).shows("Page 1 of 2", `href="/admin/polls/?q=&amp;page=2"`)
	clerk.get("/admin/polls/?page=2").want(200).shows("Page 2 of 2", "Tea?")
}
