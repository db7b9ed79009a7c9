package deployer

// Attributes of an instance by which a platform says why it is not well, beside those of its own.
const (
	// AttributeReason is why, for people and in the platform's words, as "exited with code 3". Every instance that failed
	// has it.
	AttributeReason = "reason"
	// AttributeExitCode is the decimal exit code of what ran; only where the platform knows it.
	AttributeExitCode = "exitCode"
	// AttributeFinal is "true" on an instance that has failed for good: the platform does not start it again by itself.
	AttributeFinal = "final"
)
