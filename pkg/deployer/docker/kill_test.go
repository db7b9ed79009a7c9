package docker_test

const serverVariable = "SKIFF_TEST_SERVER"

func serve(string) int { return 0 }
