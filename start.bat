@echo off
rem As ./start.sh, for Docker mode; README.md says which commands.
setlocal
cd /d "%~dp0"
for %%P in ("py -3" "python3" "python") do (
  %%~P -c "import sys; sys.exit(sys.version_info < (3, 11))" >nul 2>&1 && (
    %%~P -m launcher %*
    goto :end
  )
)
echo start.bat: no Python 3.11 or newer found: install one (winget install Python.Python.3.13) 1>&2
exit /b 1
:end
exit /b %ERRORLEVEL%
