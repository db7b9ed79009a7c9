package skipper

import "time"

// Backup tells what a backup of a server's store holds.
type Backup struct {
	Format        int              `json:"format"`        // of the file
	SchemaVersion int64            `json:"schemaVersion"` // of the store it was made from
	Installation  string           `json:"installation"`  // id of the installation, part of every owner mark
	SkiffVersion  string           `json:"skiffVersion"`  // of the program that made it
	Created       time.Time        `json:"created"`       //
	Tables        map[string]int64 `json:"tables"`        // rows, by table
	Files         int              `json:"files"`         // what deployers keep beside the store
}
