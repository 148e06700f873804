package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/job"
	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/transport"
)

// jobRows are about jobs: from the order to where it is on disk and has a keeper.
func jobRows() []row {
	return []row{
		{id: "R15", name: "start of a job", unit: milliseconds, rounds: 200, spread: true, set: func(*stage.Stage) (*race, error) {
			return jobStart(delivery.Once{Via: transport.Self{}})
		}},
	}
}

// jobStart is the start of a job against a call in a fresh process and one record that is on disk.
func jobStart(c delivery.Once) (*race, error) {
	dir, err := os.MkdirTemp(os.Getenv("HOME"), "records")
	if err != nil {
		return nil, err
	}
	call := next.On(c)
	ctx := context.Background()
	return &race{
		ours: func() (float64, error) {
			begin := time.Now()
			j, err := job.Start(ctx, c, next, 41)
			took := time.Since(begin).Seconds() * 1000
			if err == nil {
				_, err = j.Wait(ctx)
			}
			if err == nil {
				err = j.Acknowledge(ctx)
			}
			return took, err
		},
		rivals: []rival{{name: "call, record", goal: goal{AtMost: 1.5}, run: took(func() error {
			if _, err := call(ctx, 41); err != nil {
				return err
			}
			return record(filepath.Join(dir, "record"))
		})}},
		done: func() { _ = os.RemoveAll(dir) },
	}, nil
}

// record writes a small file, durably.
func record(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 512))
	return errors.Join(err, f.Sync(), f.Close(), os.Remove(name))
}
