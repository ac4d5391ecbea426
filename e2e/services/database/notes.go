package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"log"
	"net/http"
	"time"
)

type note struct {
	ID      int64     `json:"id"`
	Text    string    `json:"text"`
	Written time.Time `json:"written"`
}

// newHandler lists notes and takes new ones.
func newHandler(db *sql.DB) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", http.RedirectHandler("/notes", http.StatusFound))
	mux.HandleFunc("GET /notes", func(w http.ResponseWriter, r *http.Request) {
		notes, err := list(r.Context(), db)
		answer(w, http.StatusOK, notes, err)
	})
	mux.HandleFunc("POST /notes", func(w http.ResponseWriter, r *http.Request) {
		text := r.PostFormValue("text")
		if text == "" {
			http.Error(w, "want a form with a text", http.StatusBadRequest)
			return
		}
		note, err := add(r.Context(), db, text)
		answer(w, http.StatusCreated, note, err)
	})
	return http.MaxBytesHandler(mux, 64<<10)
}

func list(ctx context.Context, db *sql.DB) ([]note, error) {
	rows, err := db.QueryContext(ctx, "select id, text, written from notes order by written desc, id desc limit 100")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	notes := []note{} // JSON's [], not null.
	for rows.Next() {
		var n note
		if err := rows.Scan(&n.ID, &n.Text, &n.Written); err != nil {
			return nil, err
		}
		notes = append(notes, n)
	}
	return notes, rows.Err()
}

func add(ctx context.Context, db *sql.DB, text string) (note, error) {
	n := note{Text: text}
	err := db.QueryRowContext(ctx, "insert into notes (text) values ($1) returning id, written", text).Scan(&n.ID, &n.Written)
	return n, err
}

// answer writes the value as JSON, or says that something went wrong, and to the log what.
func answer(w http.ResponseWriter, status int, value any, err error) {
	if err != nil {
		log.Print(err)
		http.Error(w, "something went wrong", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(value)
}
