#include <stdio.h>
#include <unistd.h>

int main(void) {
    char some[10];
    if (read(0, some, sizeof some) < 1) {
        return 1;
    }
    puts("{\"type\":\"done\",\"status\":\"ok\"}");
    return 0;
}
