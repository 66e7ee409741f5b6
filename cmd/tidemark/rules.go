package main

import (
	"context"

	"github.com/tidemarkhq/tidemark/anomaly/rules"
)

// startRules makes what judges the thresholds and objectives that people set; detection asks it in every round.
func (p *product) startRules(ctx context.Context) error {
	if p.db == nil {
		return nil
	}
	var err error
	p.rules, err = rules.New(ctx, rules.Options{DB: p.db, Conn: p.conn, Registerer: p.metrics, Logger: p.log})
	return err
}
