package docker

import (
	_ "embed" // for the table

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
)

//go:embed options.txt
var optionTable string

// Options lists the deployment properties.
func (d *Deployer) Options() []skipper.Option {
	return deployer.ParseOptions(prefix, optionTable)
}
