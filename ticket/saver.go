package ticket

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
)

// saver gathers what attempts save at the same time: while one batch is being
// written the next one fills. No attempt waits for company.
type saver struct {
	write   func(context.Context, []*outcome) (map[uuid.UUID]bool, error)
	refused func(context.Context, *outcome, error) // told of what the database does not take

	mu      sync.Mutex
	waiting []*saving
	writing bool
}

type saving struct {
	outcome *outcome
	done    chan struct{}
	saved   bool
	err     error
}

const (
	maxSaved  = 200                    // outcomes in one statement
	savePause = 250 * time.Millisecond // between two tries
	saveTry   = 3 * time.Second        // one
	saveFor   = 10 * time.Second       // all of them: what was fetched has cost calls
)

// save answers when o is written: false if its lease was lost. It is not
// cancelled: what WeCom granted is kept, also while the process is shut down.
func (s *saver) save(ctx context.Context, o *outcome) (bool, error) {
	w := &saving{outcome: o, done: make(chan struct{})}
	s.mu.Lock()
	s.waiting = append(s.waiting, w)
	if !s.writing {
		s.writing = true
		go s.writeAll(context.WithoutCancel(ctx))
	}
	s.mu.Unlock()
	<-w.done
	return w.saved, w.err
}

func (s *saver) writeAll(ctx context.Context) {
	for {
		s.mu.Lock()
		batch := s.waiting[:min(len(s.waiting), maxSaved)]
		s.waiting = s.waiting[len(batch):]
		s.writing = len(batch) > 0
		s.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		outcomes := make([]*outcome, len(batch))
		for i, w := range batch {
			outcomes[i] = w.outcome
		}
		saved, err := s.persist(ctx, outcomes)
		for _, w := range batch {
			w.saved, w.err = saved[w.outcome.lease.TenantID], err
			close(w.done)
		}
	}
}

// persist writes a batch, again and again while the database is away. It may have
// written one whose answer was lost: then the leases are gone and nothing happens.
// A row that the database refuses must not take the others with it.
func (s *saver) persist(ctx context.Context, batch []*outcome) (map[uuid.UUID]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, saveFor)
	defer cancel()
	for {
		saved, err := s.try(ctx, batch)
		var pg *pgconn.PgError
		switch {
		case err == nil:
			return saved, nil
		case errors.As(err, &pg) && (pg.Code[:2] == dataException || pg.Code[:2] == constraintViolation):
			return s.oneByOne(ctx, batch, err)
		}
		select {
		case <-time.After(savePause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

func (s *saver) try(ctx context.Context, batch []*outcome) (map[uuid.UUID]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, saveTry)
	defer cancel()
	return s.write(ctx, batch)
}

// Classes of SQLSTATE that are about what is written, not about the database.
const (
	dataException       = "22"
	constraintViolation = "23"
)

// oneByOne saves what it can of a batch that was refused. Whose row is at fault
// is in nobody's map: the lease ends, and it is tried again.
func (s *saver) oneByOne(ctx context.Context, batch []*outcome, err error) (map[uuid.UUID]bool, error) {
	if len(batch) == 1 {
		s.refused(ctx, batch[0], err)
		return nil, nil
	}
	all := map[uuid.UUID]bool{}
	for _, o := range batch {
		saved, err := s.persist(ctx, []*outcome{o})
		if err != nil {
			return nil, err
		}
		maps.Copy(all, saved)
	}
	return all, nil
}
