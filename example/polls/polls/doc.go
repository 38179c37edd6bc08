// Package polls is an application: accounts, polls, choices and votes, as a JSON API, as pages and with an admin. It is
// written for one group of people who share everything in it, and does not know that there could be others: it passes the
// request's context to the database, and that is all. Whoever mounts it decides what the context means.
//
//	app, err := polls.New(db, polls.Options{})
//	if err != nil {
//		return err
//	}
//	engine := gin.New()
//	app.Mount(engine)
//
// The tables are those of [Models]. db needs gorm.Config.TranslateError, and on SQLite foreign keys switched on.
package polls
