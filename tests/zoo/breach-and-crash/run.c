#include <signal.h>
#include <stdio.h>
#include <time.h>

int main(void) {
    while (getchar() != EOF) {
    }
    puts("{\"type\":\"finding\",\"rule\":\"r1\",\"title\":\"t\",\"severity\":\"low\"}");
    puts("free(): invalid pointer");
    fflush(stdout);
    raise(SIGSEGV);
    return 0;
}
