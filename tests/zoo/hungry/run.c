#include <stdio.h>
#include <stdlib.h>

int main(void) {
    while (getchar() != EOF) {
    }
    for (int taken = 0; taken < 4096; taken++) {
        char *block = malloc(1 << 20);
        if (block == NULL) {
            fputs("no memory\n", stderr);
            return 1;
        }
        block[0] = 1;
    }
    puts("{\"type\":\"done\",\"status\":\"ok\"}");
    return 0;
}
