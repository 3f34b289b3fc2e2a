#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(void) {
    while (getchar() != EOF) {
    }
    puts("{\"type\":\"done\",\"status\":\"ok\"}");
    fflush(stdout);
    if (fork() != 0) {
        return 0;
    }
    signal(SIGTERM, SIG_IGN);
    const struct timespec moment = {.tv_nsec = 1000000};
    for (int heads = 0; heads < 20000; heads++) { /* it ends some day, whatever kastrun does */
        setsid();
        nanosleep(&moment, NULL);
        if (fork() != 0) {
            return 0;
        }
    }
    return 0;
}
