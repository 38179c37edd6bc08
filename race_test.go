package tenancy_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

type (
	Poll struct {
		ID       uint
		TenantID string
		Title    string
		Votes    int
		Choices  []Choice
		Labels   []Label `gorm:"many2many:poll_labels"`
	}
	Choice struct {
		ID       uint
		TenantID string
		PollID   uint
		Text     string
	}
	Label struct {
		ID       uint
		TenantID string
		Text     string
	}
)

// Four tenants work on one cold database from sixteen goroutines, all at once.
func TestRace(t *testing.T) { onEach(t, testRace) }

// calm is what each engine needs to serve sixteen writers without giving up: to wait, or to lock only the rows it writes.
var calm = map[string]string{
	"sqlite":  "&_txlock=immediate&_journal_mode=WAL",
	"mariadb": "&tx_isolation=%27READ-COMMITTED%27",
}

func testRace(t *testing.T, on backend) {
	for name, opts := range map[string][]tenancy.Option{
		"declared": {tenancy.OwnedModels(&Poll{}, &Choice{}, &Label{})},
		"lazy":     nil,
	} {
		for _, prepare := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s prepared %v", name, prepare), func(t *testing.T) { race(t, on, prepare, opts) })
		}
	}
}

func race(t *testing.T, on backend, prepare bool, opts []tenancy.Option) {
	dsn := on.empty(t) + calm[on.name]
	plain, err := gorm.Open(on.open(dsn), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	pool, _ := plain.DB()
	if err := errors.Join(plain.AutoMigrate(&Poll{}, &Choice{}, &Label{}), pool.Close()); err != nil {
		t.Fatal(err)
	}
	e := on.connect(t, dsn, &gorm.Config{PrepareStmt: prepare}, func(db *gorm.DB) error {
		return db.Use(tenancy.New(shared.New(), append(opts, tenancy.Logger(silent))...))
	})
	db := e.db
	tenants := []tenancy.ID{"a", "b", "c", "d"}
	start := make(chan struct{})
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			<-start
			for round := range 3 {
				if err := raceRound(db, tenants[g%4], tenants[(g+1)%4], g, round); err != nil {
					t.Errorf("goroutine %d round %d: %v", g, round, err)
					return
				}
			}
		}()
	}
	close(start)
	wg.Wait()
	e.wants("SELECT tenant_id, count(*), sum(votes) FROM polls GROUP BY 1 ORDER BY 1", "a 12 12 b 12 12 c 12 12 d 12 12")
	e.wants("SELECT tenant_id, count(*) FROM choices GROUP BY 1 ORDER BY 1", "a 12 b 12 c 12 d 12")
	e.wants("SELECT count(*) FROM polls WHERE title NOT LIKE tenant_id || '-%'", "0")
	e.wants("SELECT count(*) FROM choices c JOIN polls p ON p.id = c.poll_id WHERE p.tenant_id <> c.tenant_id OR c.text NOT LIKE c.tenant_id || '-%'", "0")
	e.wants("SELECT count(*), sum(CASE WHEN p.tenant_id = l.tenant_id THEN 1 ELSE 0 END) FROM poll_labels x JOIN polls p ON p.id = x.poll_id JOIN labels l ON l.id = x.label_id", "48 48")
}

// raceRound is one goroutine's mixed work as tenant id, with attacks on other.
func raceRound(db *gorm.DB, id, other tenancy.ID, g, round int) error {
	tx := db.WithContext(as(id))
	mine := fmt.Sprintf("%s-%d-%d", id, g, round)
	if err := db.Find(&[]Poll{}).Error; !errors.Is(err, tenancy.ErrNoTenant) {
		return fmt.Errorf("without tenant: %w", err)
	}
	if err := tx.Create(&Poll{Title: "stolen", TenantID: string(other)}).Error; !errors.Is(err, tenancy.ErrTenantMismatch) {
		return fmt.Errorf("create for another: %w", err)
	}
	p := Poll{Title: mine, Choices: []Choice{{Text: mine + "-1"}, {Text: mine + "-2"}}, Labels: []Label{{Text: mine}}}
	if err := tx.Create(&p).Error; err != nil {
		return fmt.Errorf("create: %w", err)
	}
	if err := tx.Model(&Poll{}).Where("title = ?", mine).Or("1=0").Update("votes", gorm.Expr("votes + ?", 1)).Error; err != nil {
		return fmt.Errorf("update: %w", err)
	}
	var polls []Poll
	if err := tx.Preload("Choices").Preload("Labels").Where("1=1\nOR 1=1").Find(&polls).Error; err != nil {
		return fmt.Errorf("find: %w", err)
	}
	found := false
	for _, p := range polls {
		found = found || p.Title == mine
		if p.TenantID != string(id) || !strings.HasPrefix(p.Title, string(id)+"-") {
			return fmt.Errorf("saw %s of %s", p.Title, p.TenantID)
		}
		for _, c := range p.Choices {
			if c.TenantID != string(id) {
				return fmt.Errorf("saw %s of %s", c.Text, c.TenantID)
			}
		}
		for _, l := range p.Labels {
			if l.TenantID != string(id) {
				return fmt.Errorf("saw %s of %s", l.Text, l.TenantID)
			}
		}
	}
	if !found {
		return fmt.Errorf("did not see its own %s", mine)
	}
	if err := tx.Where("text = ?", mine+"-2").Delete(&Choice{}).Error; err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	var titles []string
	if err := tx.Raw("SELECT title FROM polls WHERE tenant_id = ?", tenancy.Current).Scan(&titles).Error; err != nil {
		return fmt.Errorf("raw: %w", err)
	}
	for _, title := range titles {
		if !strings.HasPrefix(title, string(id)+"-") {
			return fmt.Errorf("raw saw %s", title)
		}
	}
	var others int64
	if err := tx.Model(&Poll{}).Where("tenant_id = ?", string(other)).Count(&others).Error; err != nil || others != 0 {
		return fmt.Errorf("counted %d of another: %w", others, err)
	}
	return nil
}
