.PHONY: setup check test slow faults golden bench verdicts house ladders recipes study tutorial

setup: ## install for development
	pip install -e ".[dev]"

check: ## about a minute: format, lint, types, import contracts, tests that train nothing
	ruff format --check .
	ruff check .
	mypy imgcls recipes benchmarks examples docs/make_tutorial.py
	lint-imports
	pytest -m "not slow and not train and not wheel"

test: ## everything but the slow tests
	pytest

slow: ## the slow tests, and those of the built wheel
	pytest -m "slow or wheel"

faults: ## what can go wrong, provoked: every row of tests/faults/catalogue.toml, the long ones too
	pytest -m fault

golden: ## write the pictures of what people read anew; review the diff
	pytest tests/golden --snapshot-update

bench: ## against stock fastai, on this machine
	python -m benchmarks stock

verdicts: ## how often verdicts are right, on drawn ladders; minutes
	python -m benchmarks verdicts

house: ## size of the code, and through how many files values walk; minutes
	python -m benchmarks house

ladders: ## write the tables of docs/guide/published-ladders.md, from the results
	python -m benchmarks ladders table

study: ## write the tables and the picture of docs/guide/study.md, from the rows in benchmarks/study_rows
	python -m benchmarks study

recipes: ## write the table of docs/guide/recipes.md, from the cards
	python -m imgcls.reports.recipes docs/guide/recipes.md

tutorial: ## run every command of docs/tutorial.md.in and write docs/tutorial.md; minutes
	python docs/make_tutorial.py
