#!/nowhere/bin/python9
print("never")
