/* The least that a plugin may do: read the job line to its end, say done. */
#include <unistd.h>

int main(void)
{
    static const char done[] = "{\"type\":\"done\",\"status\":\"ok\"}\n";
    char line[65536];

    while (read(0, line, sizeof line) > 0)
        ;
    return write(1, done, sizeof done - 1) < 0;
}
