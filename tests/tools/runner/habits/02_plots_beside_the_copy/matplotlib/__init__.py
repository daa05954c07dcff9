def use(backend):
    print("backend", backend)
