package changes

import "time"

// LastPolled makes the listener believe that its last poll was so long ago, by
// the database's clock at now.
func (l *Listener) LastPolled(now time.Time, ago time.Duration) {
	since := now.Add(-ago - window)
	l.since = &since
}

// Remembered is how many ids of handled changes the listener keeps.
func (l *Listener) Remembered() int { return len(l.handled) }

// PollFor has a poll wait so long for the database.
func (l *Listener) PollFor(most time.Duration) { l.pollFor = most }
