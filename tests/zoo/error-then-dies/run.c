#include <stdio.h>
#include <stdlib.h>

int main(void) {
    while (getchar() != EOF) {
    }
    puts("{\"type\":\"done\",\"status\":\"error\",\"error\":{\"kind\":\"transient\",\"message\":\"busy\"}}");
    fflush(stdout);
    abort();
}
