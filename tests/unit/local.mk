# A cmocka program a module: tests/unit/test_MODULE.c
EXTRA_DIST += tests/unit/temporary.h
if HAVE_CMOCKA
unit_programs =

unit_programs += test_histogram
test_histogram_SOURCES = tests/unit/test_histogram.c
test_histogram_LDADD = libcore.a $(CMOCKA_LIBS)

unit_programs += test_printer
test_printer_SOURCES = tests/unit/test_printer.c
test_printer_LDADD = libbase.a $(CMOCKA_LIBS)

unit_programs += test_backoff
test_backoff_SOURCES = tests/unit/test_backoff.c
test_backoff_LDADD = libcore.a $(CMOCKA_LIBS)
unit_programs += test_units test_text test_config
test_units_SOURCES = tests/unit/test_units.c
test_units_LDADD = libcore.a $(CMOCKA_LIBS) -lm
test_text_SOURCES = tests/unit/test_text.c
test_text_LDADD = libcore.a $(CMOCKA_LIBS)
test_config_SOURCES = tests/unit/test_config.c
test_config_LDADD = libcore.a $(CMOCKA_LIBS)

unit_programs += test_argv
test_argv_SOURCES = tests/unit/test_argv.c
test_argv_LDADD = libcore.a $(CMOCKA_LIBS)

unit_programs += test_applog
test_applog_SOURCES = tests/unit/test_applog.c
test_applog_LDADD = libtarget.a libbase.a libcore.a $(CMOCKA_LIBS) -lm

unit_programs += test_proctree
test_proctree_SOURCES = tests/unit/test_proctree.c
test_proctree_LDADD = libtarget.a libbase.a libcore.a $(CMOCKA_LIBS)

unit_programs += test_process test_remote
test_process_SOURCES = tests/unit/test_process.c
test_process_LDADD = libtarget.a libbase.a libcore.a $(CURL_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS) -lm
test_remote_SOURCES = tests/unit/test_remote.c
test_remote_LDADD = libtarget.a libbase.a libcore.a $(CURL_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS) -lm
EXTRA_test_process_DEPENDENCIES = ascale-launch$(EXEEXT)
unit_programs += test_arrivals
test_arrivals_SOURCES = tests/unit/test_arrivals.c
test_arrivals_LDADD = libcore.a $(CMOCKA_LIBS) -lm
unit_programs += test_event test_conn test_relay
test_event_SOURCES = tests/unit/test_event.c
test_event_LDADD = libhttp.a libbase.a libcore.a $(CMOCKA_LIBS)
test_conn_SOURCES = tests/unit/test_conn.c
test_conn_LDADD = libhttp.a libbase.a libcore.a $(CMOCKA_LIBS)
test_relay_SOURCES = tests/unit/test_relay.c
test_relay_LDADD = libhttp.a libbase.a libcore.a $(CMOCKA_LIBS)
unit_programs += test_balance_settings
test_balance_settings_SOURCES = tests/unit/test_balance_settings.c src/balance/settings.c
test_balance_settings_LDADD = libbase.a libcore.a $(CMOCKA_LIBS)
unit_programs += test_wheel
test_wheel_SOURCES = tests/unit/test_wheel.c
test_wheel_LDADD = libhttp.a libcore.a $(CMOCKA_LIBS)
unit_programs += test_networks
test_networks_SOURCES = tests/unit/test_networks.c
test_networks_LDADD = libbase.a $(CMOCKA_LIBS)
unit_programs += test_counters
test_counters_SOURCES = tests/unit/test_counters.c
test_counters_LDADD = libcore.a $(CMOCKA_LIBS)
unit_programs += test_pick
test_pick_SOURCES = tests/unit/test_pick.c
test_pick_LDADD = libcore.a $(CMOCKA_LIBS)
unit_programs += test_http1
test_http1_SOURCES = tests/unit/test_http1.c
test_http1_LDADD = libcore.a $(CMOCKA_LIBS)
unit_programs += test_loop
test_loop_SOURCES = tests/unit/test_loop.c
test_loop_LDADD = libbase.a $(CMOCKA_LIBS)

unit_programs += test_http_client
test_http_client_SOURCES = tests/unit/test_http_client.c
test_http_client_LDADD = libbase.a $(CMOCKA_LIBS) $(CURL_LIBS)

unit_programs += test_control_balancer test_control_commands test_control_mailbox test_control_meter test_control_state
test_control_balancer_SOURCES = tests/unit/test_control_balancer.c
test_control_balancer_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
test_control_balancer_LDADD = libcontrol.a libtarget.a libbase.a libcore.a $(JANSSON_LIBS) $(CMOCKA_LIBS) -lm
test_control_commands_SOURCES = tests/unit/test_control_commands.c
test_control_commands_LDADD = libcontrol.a libtarget.a libbase.a libcore.a \
	$(CURL_LIBS) $(JANSSON_LIBS) $(INIH_LIBS) $(CMOCKA_LIBS) -lm
unit_programs += test_control_pace
test_control_pace_SOURCES = tests/unit/test_control_pace.c
test_control_pace_LDADD = $(test_control_commands_LDADD)
test_control_mailbox_SOURCES = tests/unit/test_control_mailbox.c
test_control_mailbox_LDADD = libcontrol.a libcore.a $(CMOCKA_LIBS)
test_control_meter_SOURCES = tests/unit/test_control_meter.c
test_control_meter_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
test_control_meter_LDADD = libcontrol.a libcore.a $(JANSSON_LIBS) $(CMOCKA_LIBS) -lm
test_control_state_SOURCES = tests/unit/test_control_state.c
test_control_state_LDADD = libcontrol.a libtarget.a libbase.a libcore.a $(JANSSON_LIBS) $(CMOCKA_LIBS) -lm
unit_programs += test_ini
test_ini_SOURCES = tests/unit/test_ini.c
test_ini_LDADD = libbase.a $(CMOCKA_LIBS) $(INIH_LIBS)

unit_programs += test_bytes test_file test_file_save test_log test_spawn
test_bytes_SOURCES = tests/unit/test_bytes.c
test_bytes_LDADD = libbase.a $(CMOCKA_LIBS)
test_file_SOURCES = tests/unit/test_file.c
test_file_LDADD = libbase.a $(CMOCKA_LIBS)
test_file_save_SOURCES = tests/unit/test_file_save.c tests/unit/temporary.h
test_file_save_LDADD = libbase.a $(CMOCKA_LIBS)
test_log_SOURCES = tests/unit/test_log.c
test_log_LDADD = libbase.a libcore.a $(CMOCKA_LIBS)
test_spawn_SOURCES = tests/unit/test_spawn.c
test_spawn_LDADD = libbase.a $(CMOCKA_LIBS)

unit_programs += test_config_load test_config_save
test_config_save_SOURCES = tests/unit/test_config_save.c tests/unit/temporary.h
test_config_save_LDADD = libcontrol.a libtarget.a libbase.a libcore.a \
	$(CURL_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS) $(INIH_LIBS) -lm
test_config_load_SOURCES = tests/unit/test_config_load.c
test_config_load_LDADD = libcontrol.a libtarget.a libbase.a libcore.a \
	$(CURL_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS) $(INIH_LIBS) -lm

unit_programs += test_series test_strategy test_guard test_fleet test_engine test_scenarios
test_series_SOURCES = tests/unit/test_series.c
test_series_LDADD = libcore.a $(CMOCKA_LIBS) -lm
test_strategy_SOURCES = tests/unit/test_strategy.c
test_strategy_LDADD = libcore.a $(CMOCKA_LIBS) -lm
test_guard_SOURCES = tests/unit/test_guard.c
test_guard_LDADD = libcore.a $(CMOCKA_LIBS) -lm
test_fleet_SOURCES = tests/unit/test_fleet.c
test_fleet_LDADD = libcore.a $(CMOCKA_LIBS) -lm
test_engine_SOURCES = tests/unit/test_engine.c tests/unit/world.c tests/unit/world.h
test_engine_LDADD = libcore.a $(CMOCKA_LIBS) -lm
test_scenarios_SOURCES = tests/unit/test_scenarios.c tests/unit/world.c tests/unit/world.h
test_scenarios_LDADD = libcore.a $(CMOCKA_LIBS) -lm
unit_programs += test_decisions
test_decisions_SOURCES = tests/unit/test_decisions.c tests/unit/world.c tests/unit/world.h
test_decisions_LDADD = libcore.a $(CMOCKA_LIBS) -lm

unit_programs += test_args test_fleet_model test_pacer
unit_programs += test_load_output test_load_answer test_load_plan test_load_trace test_load_team
test_args_SOURCES = tests/unit/test_args.c
test_args_LDADD = libbase.a $(CMOCKA_LIBS)
test_fleet_model_SOURCES = tests/unit/test_fleet_model.c src/app/fleet_model.c
test_fleet_model_LDADD = libcore.a $(CMOCKA_LIBS) -lm
unit_programs += test_remote_day
test_remote_day_SOURCES = tests/unit/test_remote_day.c src/app/fleet_model.c
test_remote_day_LDADD = libcontrol.a libtarget.a libbase.a libcore.a \
	$(CURL_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS) $(INIH_LIBS) -lm
test_pacer_SOURCES = tests/unit/test_pacer.c src/load/pacer.c
test_pacer_LDADD = libcore.a $(CMOCKA_LIBS) -lm
test_load_trace_SOURCES = tests/unit/test_load_trace.c src/load/trace.c
test_load_trace_LDADD = libbase.a libcore.a $(CMOCKA_LIBS) -lm
test_load_team_SOURCES = tests/unit/test_load_team.c src/load/pacer.c src/load/stats.c src/load/team.c
test_load_team_LDADD = libbase.a libcore.a $(CMOCKA_LIBS) -lm
test_load_answer_SOURCES = tests/unit/test_load_answer.c src/load/answer.c
test_load_answer_LDADD = libhttp.a libbase.a libcore.a $(CMOCKA_LIBS) -lm
test_load_plan_SOURCES = tests/unit/test_load_plan.c src/load/cli.c src/load/plan.c src/load/trace.c
test_load_plan_LDADD = libbase.a libcore.a $(CMOCKA_LIBS) -lm
test_load_output_SOURCES = tests/unit/test_load_output.c src/load/commands.c src/load/output.c src/load/stats.c src/load/table.c
test_load_output_LDADD = libcore.a $(JANSSON_LIBS) $(CMOCKA_LIBS) -lm

unit_programs += test_ui_paint test_ui_frames test_ui_input test_ui_parts test_ui_room test_ui_golden test_snapshot_json
fake_port = tests/unit/fake_port.c tests/unit/fake_port.h
ui_test_libs = libui.a libops.a libcore.a $(CMOCKA_LIBS) $(JANSSON_LIBS) $(NCURSES_LIBS) -lm
test_ui_paint_SOURCES = tests/unit/test_ui_paint.c
test_ui_paint_LDADD = $(ui_test_libs)
test_ui_frames_SOURCES = tests/unit/test_ui_frames.c $(fake_port)
test_ui_frames_LDADD = $(ui_test_libs)
test_ui_parts_SOURCES = tests/unit/test_ui_parts.c $(fake_port)
test_ui_parts_LDADD = $(ui_test_libs)
test_ui_input_SOURCES = tests/unit/test_ui_input.c
test_ui_input_LDADD = $(ui_test_libs)
test_ui_room_SOURCES = tests/unit/test_ui_room.c $(fake_port)
test_ui_room_LDADD = $(ui_test_libs)
test_ui_golden_SOURCES = tests/unit/test_ui_golden.c $(fake_port)
test_ui_golden_LDADD = $(ui_test_libs)
test_snapshot_json_SOURCES = tests/unit/test_snapshot_json.c $(fake_port)
test_snapshot_json_LDADD = $(ui_test_libs)
EXTRA_DIST += tests/unit/fixtures

check_PROGRAMS += $(unit_programs)
TESTS += $(unit_programs)
endif

# Writes the golden screens and decisions anew. Look at what changed before committing it.
.PHONY: golden
golden:
	$(MAKE) $(AM_MAKEFLAGS) test_ui_golden test_decisions
	$(AM_V_GEN)srcdir='$(srcdir)' ./test_ui_golden --write
	$(AM_V_GEN)srcdir='$(srcdir)' ./test_decisions --write
