package db

import (
	"database/sql"
	"time"
)

// Moment is a time in a column of microseconds, nil where it is NULL.
func Moment(n sql.NullInt64) *time.Time {
	if !n.Valid {
		return nil
	}
	t := time.UnixMicro(n.Int64).UTC()
	return &t
}

// Micros is a time for such a column, NULL for nil.
func Micros(t *time.Time) any {
	if t == nil {
		return nil
	}
	return t.UnixMicro()
}
