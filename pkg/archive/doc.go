// Package archive turns package zips and folders into skipper.Package and folders into zips. It believes nothing an
// archive says of itself: sizes are counted while unpacking, names that lead outside are refused. It stores nothing.
//
//	p, err := archive.Read(zip, "hello-1.0.0")
package archive
