module kastrun-plugin

go 1.18
