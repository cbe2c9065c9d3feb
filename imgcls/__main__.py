"""`python -m imgcls` is `imgcls`."""

from imgcls.cli import main

if __name__ == "__main__":
    main()
