# End to end: pytest drives the built programs. `make check-e2e E2E_ARGS='-k name'` runs some of them.
PYTHON3 = /usr/bin/python3
E2E_ARGS =
E2E_RESULTS = e2e.xml

EXTRA_DIST += \
	tests/e2e/conftest.py \
	tests/e2e/headless.py \
	tests/e2e/loading.py \
	tests/e2e/house.py \
	tests/e2e/progress.py \
	tests/e2e/balancing.py \
	tests/e2e/certificates.py \
	tests/e2e/http_cases.py \
	tests/e2e/raw_backend.py \
	tests/e2e/test_balance_strict.py \
	tests/e2e/forcing.py \
	tests/e2e/test_app.py \
	tests/e2e/test_balance.py \
	tests/e2e/test_balance_chaos.py \
	tests/e2e/test_balance_choice.py \
	tests/e2e/test_balance_control.py \
	tests/e2e/test_balance_corners.py \
	tests/e2e/test_balance_differential.py \
	tests/e2e/test_balance_faults.py \
	tests/e2e/test_bootstrap.py \
	tests/e2e/test_busy.py \
	tests/e2e/test_config.py \
	tests/e2e/test_faults_process.py \
	tests/e2e/test_gunicorn.py \
	tests/e2e/test_house.py \
	tests/e2e/test_ini_gone.py \
	tests/e2e/test_leaving.py \
	tests/e2e/test_limits.py \
	tests/e2e/test_load.py \
	tests/e2e/test_load_https.py \
	tests/e2e/test_load_rate.py \
	tests/e2e/test_load_report.py \
	tests/e2e/test_nohup.py \
	tests/e2e/test_output.py \
	tests/e2e/test_output_blocked.py \
	tests/e2e/test_paste.py \
	tests/e2e/test_random_keys.py \
	tests/e2e/test_requests_path.py \
	tests/e2e/test_scaling_under_load.py \
	tests/e2e/test_remote.py \
	tests/e2e/test_screen.py \
	tests/e2e/test_state_gone.py \
	tests/e2e/test_tui_headless.py

# The suite never writes into the source tree: make distcheck runs with one that is read-only. Where pytest-xdist is
# installed, tests run side by side.
.PHONY: check-e2e
check-e2e: all
	$(AM_V_GEN)side_by_side=$$($(PYTHON3) -c 'import xdist' 2>/dev/null && echo "-n $$(nproc)"); \
	  ASCALE_BUILD='$(abs_top_builddir)' PYTHONDONTWRITEBYTECODE=1 '$(srcdir)/tests/contained' -t 5400 \
	  sh -c 'exec "$$@" --basetemp="$$TMPDIR/e2e"' sh $(PYTHON3) -m pytest -q -rsfE $$side_by_side \
	  -p no:cacheprovider -o console_output_style=classic --junitxml='$(abs_top_builddir)/$(E2E_RESULTS)' $(E2E_ARGS) '$(srcdir)/tests/e2e'

# Minutes a test; ASCALE_NIGHTLY=0.1 for a tenth of them.
EXTRA_DIST += tests/nightly/conftest.py tests/nightly/test_ten_minutes.py
.PHONY: check-nightly
check-nightly: all
	$(AM_V_GEN)ASCALE_BUILD='$(abs_top_builddir)' PYTHONDONTWRITEBYTECODE=1 '$(srcdir)/tests/contained' -t 20000 \
	  sh -c 'exec "$$@" --basetemp="$$TMPDIR/e2e"' sh $(PYTHON3) -m pytest -q -s -rsfE \
	  -p no:cacheprovider -o console_output_style=classic $(E2E_ARGS) '$(srcdir)/tests/nightly'
