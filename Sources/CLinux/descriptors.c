#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>

// Fills those standard descriptors that the caller has closed, so that nothing that is opened later becomes one of
// them. Before anything else: Swift's runtime opens descriptors before an asynchronous main. Input and error become
// /dev/null; writing to an output that was closed fails as before.
__attribute__((constructor)) static void fill_standard_descriptors(void) {
  for (int number = STDIN_FILENO; number <= STDERR_FILENO; number++) {
    // open(2) returns the lowest number that is free: this one.
    if (fcntl(number, F_GETFD) < 0) open("/dev/null", number == STDERR_FILENO ? O_WRONLY : O_RDONLY);
  }
}
