"""python -m commongarden.cli"""

from commongarden.cli.group import main

if __name__ == "__main__":
    main()
