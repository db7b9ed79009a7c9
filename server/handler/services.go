package handler

import (
	"context"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// Catalog is what the handlers ask of packages and package repositories.
type Catalog interface {
	// Upload brings a package into a local repository.
	Upload(ctx context.Context, request skipper.UploadRequest) (skipper.PackageMetadata, error)
	// DeletePackage removes all versions of a package.
	DeletePackage(ctx context.Context, name string) error
	// Package gives one package; CodeNotFound when it is not there.
	Package(ctx context.Context, id int64) (skipper.PackageMetadata, error)
	// Packages gives a part of the list of all packages.
	Packages(ctx context.Context, page skipper.PageRequest) (skipper.Page[skipper.PackageMetadata], error)
	// PackagesNamed gives the packages with exactly that name.
	PackagesNamed(ctx context.Context, name string) ([]skipper.PackageMetadata, error)
	// PackagesContaining gives the packages with a part in their name, in any case.
	PackagesContaining(ctx context.Context, part string) ([]skipper.PackageMetadata, error)
	// Repositories gives a part of the list of package repositories.
	Repositories(ctx context.Context, page skipper.PageRequest) (skipper.Page[skipper.Repository], error)
	// Repository gives one package repository; CodeNotFound when it is not there.
	Repository(ctx context.Context, id int64) (skipper.Repository, error)
	// RepositoryByName gives one package repository; CodeNotFound when it is not there.
	RepositoryByName(ctx context.Context, name string) (skipper.Repository, error)
}

// Releases is what the handlers ask of releases and platforms. The commands give the operation that carries them out
// also along with an error, when it ended with that error; the operation is zero when none was made. With an operation
// that is queued there is no release.
type Releases interface {
	// Install installs a package as a release and returns when the operation has ended.
	Install(ctx context.Context, request skipper.InstallRequest, options skipper.CommandOptions) (
		skipper.Release, skipper.Operation, error)
	// InstallPackage is Install for a package known by its id.
	InstallPackage(ctx context.Context, packageID int64, properties skipper.InstallProperties,
		options skipper.CommandOptions) (skipper.Release, skipper.Operation, error)
	// Upgrade makes a new version and returns when its applications were handed over.
	Upgrade(ctx context.Context, request skipper.UpgradeRequest, options skipper.CommandOptions) (
		skipper.Release, skipper.Operation, error)
	// Preview tells what it takes to bring a release to a package and values, and does nothing.
	Preview(ctx context.Context, request skipper.InstallRequest) (skipper.Preview, error)
	// Rollback goes back to an earlier version and returns as Upgrade does.
	Rollback(ctx context.Context, request skipper.RollbackRequest, options skipper.CommandOptions) (
		skipper.Release, skipper.Operation, error)
	// Delete removes the applications of a release, and its package too when asked to.
	Delete(ctx context.Context, name string, withPackage bool, options skipper.CommandOptions) (
		skipper.Release, skipper.Operation, error)
	// Scale sets instance counts.
	Scale(ctx context.Context, name string, request skipper.ScaleRequest, options skipper.CommandOptions) (
		skipper.Release, skipper.Operation, error)
	// CancelOperation cancels one operation, whatever its state; CodeConflict when it has ended.
	CancelOperation(ctx context.Context, id string) (skipper.Operation, error)
	// RetryOperation repeats one that failed, was cancelled or rolled back, as a new operation, and does not wait for it.
	RetryOperation(ctx context.Context, id string, options skipper.CommandOptions) (skipper.Operation, error)
	// Cancel asks to cancel what runs; the operation is nil when nothing can be cancelled.
	Cancel(ctx context.Context, request skipper.CancelRequest) (skipper.CancelResponse, *skipper.Operation, error)

	// Status gives the live status of a version; version 0 is the newest.
	Status(ctx context.Context, name string, version int) (skipper.Info, error)
	// Statuses gives the live status of the newest version of each; unknown names are left out.
	Statuses(ctx context.Context, names []string) (map[string]skipper.Info, error)
	// States gives deployment states by name and deployment id; unknown names are left out.
	States(ctx context.Context, names []string) (map[string]map[string]skipper.DeploymentState, error)
	// Manifest gives the manifest of a version; version 0 is the newest.
	Manifest(ctx context.Context, name string, version int) (skipper.Manifest, error)
	// Logs gives the logs of the newest version; of one deployment id, or of all when it is empty.
	Logs(ctx context.Context, name, deploymentID string) (skipper.LogInfo, error)
	// LogsOf gives chosen lines in the same form.
	LogsOf(ctx context.Context, name string, q skipper.LogQuery) (skipper.LogInfo, error)
	// ReadLogs hands chosen lines to emit, which may be called from several goroutines, one at a time; with Follow until
	// the context ends or nothing of the applications is left.
	ReadLogs(ctx context.Context, name string, q skipper.LogQuery, emit func(skipper.LogLine) error) error
	// Listed gives the versions that are deployed or failed, of releases with a part in their name.
	Listed(ctx context.Context, part string) ([]skipper.Release, error)
	// History gives all versions of releases with a part in their name.
	History(ctx context.Context, part string) ([]skipper.Release, error)
	// Releases gives a part of the list of all release versions.
	Releases(ctx context.Context, page skipper.PageRequest) (skipper.Page[skipper.Release], error)
	// ReleaseByID gives one release version; CodeNotFound when it is not there.
	ReleaseByID(ctx context.Context, id int64) (skipper.Release, error)

	// Platforms gives a part of the list of platform accounts.
	Platforms(ctx context.Context, page skipper.PageRequest) (skipper.Page[skipper.Platform], error)
	// Platform gives one platform account; CodeNotFound when it is not there.
	Platform(ctx context.Context, id string) (skipper.Platform, error)
	// PlatformByName gives one platform account; CodeNotFound when it is not there.
	PlatformByName(ctx context.Context, name string) (skipper.Platform, error)
}

// Actuator is what the handlers ask of the applications themselves.
type Actuator interface {
	// Actuator asks an endpoint of one instance of the deployed version of a release and gives the body of the answer.
	Actuator(ctx context.Context, name, deploymentID, guid string, request skipper.ActuatorRequest) ([]byte, error)
}

// Machine is the machine that walks operations, as data.
type Machine interface {
	States() []skipper.MachineState
	Transitions() []skipper.MachineTransition
	Actions() []skipper.MachineNote
	Guards() []skipper.MachineNote
	// Machines gives a part of the list of the releases' machines.
	Machines(ctx context.Context, page skipper.PageRequest) (skipper.Page[skipper.Machine], error)
	// Machine gives the machine of one release; CodeReleaseNotFound when there is no such release.
	Machine(ctx context.Context, releaseName string) (skipper.Machine, error)
}

// Operations is what the handlers ask of operations.
type Operations interface {
	// Operation gives one operation; CodeNotFound when it is not there.
	Operation(ctx context.Context, id string) (skipper.Operation, error)
	// Detail gives one operation with its steps and what it waits for; CodeNotFound when it is not there.
	Detail(ctx context.Context, id string) (skipper.OperationDetail, error)
	// Operations gives a part of the list of the operations that a filter chooses.
	Operations(ctx context.Context, filter skipper.OperationFilter, page skipper.PageRequest) (
		skipper.Page[skipper.Operation], error)
	// Busy tells which releases have an operation that is queued or runs.
	Busy(ctx context.Context, names []string) (map[string]bool, error)
	// Events gives the events of an operation with an id above after, oldest first.
	Events(ctx context.Context, id string, after int64) ([]skipper.OperationEvent, error)
	// Running gives the running operation of each release that has one.
	Running(ctx context.Context, names []string) (map[string]skipper.Operation, error)
}
