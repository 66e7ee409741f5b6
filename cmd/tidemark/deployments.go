package main

import (
	"context"

	"github.com/tidemarkhq/tidemark/anomaly/explain"
)

// startDeployments notices new versions of services, and takes the deployments that are posted.
func (p *product) startDeployments(context.Context) error {
	if p.db == nil {
		return nil
	}
	n, err := explain.NewNoticer(explain.NoticerOptions{DB: p.db, Conn: p.conn, Logger: p.log, Registerer: p.metrics})
	if err != nil {
		return err
	}
	p.deployments = n
	p.onStop(n.Close)
	return nil
}
