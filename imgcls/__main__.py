"""`python -m imgcls` is `imgcls`."""

from imgcls.cli.app import main

if __name__ == "__main__":
    main()
