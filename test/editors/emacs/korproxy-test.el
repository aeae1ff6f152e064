;;; korproxy-test.el --- The package in a batch Emacs, with a real daemon  -*- lexical-binding: t; -*-

;;; Code:

(require 'ert)
(require 'korproxy)

(defmacro korproxy-test--within (seconds condition)
  "Wait until CONDITION holds, SECONDS at most."
  `(let ((end (+ (float-time) ,seconds)))
     (while (and (not ,condition) (< (float-time) end)) (accept-process-output nil 0.02))
     (unless ,condition
       (ert-fail (format "not within %s s: %S; the status is %S" ,seconds ',condition korproxy-status-plist)))))

(defun korproxy-test--state (want)
  "Wait for the state WANT."
  (korproxy-test--within 5 (equal (plist-get korproxy-status-plist :state) want)))

(defun korproxy-test--connected ()
  "Start from a connection that is ready."
  (unless korproxy-mode (korproxy-mode))
  (korproxy-test--state "ready"))

(defmacro korproxy-test--document (text &rest body)
  "Run BODY in a korproxy.toml that has TEXT in it."
  (declare (indent 1))
  `(let ((file (expand-file-name "work/korproxy.toml" (getenv "RUN"))))
     (with-temp-file file (insert ,text))
     (with-current-buffer (find-file-noselect file)
       (unwind-protect (progn ,@body)
         (set-buffer-modified-p nil)
         (kill-buffer)))))

(defun korproxy-test--daemon ()
  "Return the process id of the daemon."
  (plist-get (json-parse-string (shell-command-to-string "korproxy status --json") :object-type 'plist) :pid))

(defun korproxy-test--diagnosed ()
  "Wait for a diagnostic in this buffer, and return it."
  (flymake-start)
  (korproxy-test--within 5 (flymake-diagnostics))
  (car (flymake-diagnostics)))

(defun korproxy-test--heals (kill)
  "Check that what KILL ends is there again, and with it all that was."
  (korproxy-test--document "strct = true\n"
    (korproxy-test--diagnosed)
    (let ((seen nil) (start (float-time)))
      (cl-letf* ((show (symbol-function 'korproxy--show))
                 ((symbol-function 'korproxy--show)
                  (lambda (status) (funcall show status) (push (plist-get korproxy-status-plist :state) seen))))
        (funcall kill)
        (korproxy-test--within 2 (and (member "restarting" seen) (equal (car seen) "ready")))
        (message "healed after %.0f ms" (* 1000 (- (float-time) start))))
      ;; The new connection knows the document without an edit.
      (korproxy-test--within 2 (eq (car korproxy--sent) korproxy--connection))
      (korproxy-test--diagnosed)
      (erase-buffer)
      (flymake-start)
      (korproxy-test--within 5 (not (flymake-diagnostics))))))

(ert-deftest korproxy-test-01-status ()
  "The connection comes with the mode, without a file, and the mode line has the status."
  (korproxy-test--connected)
  (should (string-match-p "● work" korproxy--lighter)))

(ert-deftest korproxy-test-02-diagnostic-and-fix ()
  "A mistake is shown where it is, and its fix mends it."
  (korproxy-test--connected)
  (korproxy-test--document "# ä comment\nstrct = true\n"
    (let ((it (korproxy-test--diagnosed)))
      (should (string-match-p "\\`KP-" (flymake-diagnostic-text it)))
      (should (equal (buffer-substring (flymake-diagnostic-beg it) (flymake-diagnostic-end it)) "strct")))
    (goto-char (point-min))
    (search-forward "str")
    (cl-letf (((symbol-function 'completing-read)
               (lambda (_ lines &rest _) (seq-find (lambda (it) (string-search "strict" it)) (mapcar #'car lines)))))
      (korproxy-code-action))
    (should (equal (buffer-string) "# ä comment\nstrict = true\n"))
    (korproxy-test--within 5 (not (flymake-diagnostics)))))

(ert-deftest korproxy-test-03-hover ()
  "A setting is explained."
  (korproxy-test--connected)
  (korproxy-test--document "strict = true\n"
    (let (said)
      (korproxy--eldoc (lambda (text) (setq said text)))
      (korproxy-test--within 5 said)
      (should (string-match-p "strict" said))
      (should-not (string-match-p "\\*\\*" said)))))

(ert-deftest korproxy-test-04-completion ()
  "What fits is completed."
  (korproxy-test--connected)
  (korproxy-test--document "# ä\nsafe_t"
    (goto-char (point-max))
    (completion-at-point)
    (should (string-match-p "\nsafe_target" (buffer-string)))))

(ert-deftest korproxy-test-05-menu ()
  "The menu switches the profile."
  (korproxy-test--connected)
  (let ((answers '("Switch profile" "home")) marks)
    (cl-letf (((symbol-function 'completing-read)
               (lambda (_ lines &rest _)
                 (let ((all (all-completions "" lines))
                       (annotate (alist-get 'annotation-function (cdr (funcall lines "" nil 'metadata)))))
                   (push (mapcar (lambda (it) (concat it (funcall annotate it))) all) marks)
                   (or (car (member (pop answers) all)) (error "Not in %S" all))))))
      (korproxy-menu))
    (should (seq-some (lambda (it) (string-match-p "\\`work  ✓" it)) (car marks))))
  (korproxy-test--within 5 (string-match-p "home" korproxy--lighter))
  (korproxy-execute '(:command "korproxy.profile" :arguments ["work"]))
  (korproxy-test--within 5 (string-match-p "work" korproxy--lighter)))

(ert-deftest korproxy-test-06-open-menu-follows ()
  "A menu that is open shows what has changed."
  (korproxy-test--connected)
  (let (before after)
    (cl-letf (((symbol-function 'completing-read)
               (lambda (_ lines &rest _)
                 (let ((mark (lambda ()
                               (let ((annotate (alist-get 'annotation-function (cdr (funcall lines "" nil 'metadata)))))
                                 (funcall annotate "home")))))
                   (setq before (funcall mark))
                   (korproxy-execute '(:command "korproxy.profile" :arguments ["home"]))
                   (korproxy-test--within 5 (string-match-p "✓" (funcall mark)))
                   (setq after (funcall mark)))
                 "work")))
      (korproxy-profile))
    (should-not (string-match-p "✓" before))
    (should (string-match-p "✓" after)))
  (korproxy-test--within 5 (string-match-p "work" korproxy--lighter)))

(ert-deftest korproxy-test-06-command-that-asks ()
  "A command that wants a choice gets it by a menu."
  (korproxy-test--connected)
  (cl-letf (((symbol-function 'completing-read) (lambda (&rest _) "home")))
    (korproxy-execute '(:command "korproxy.profile"))
    (korproxy-test--within 5 (string-match-p "home" korproxy--lighter)))
  (cl-letf (((symbol-function 'completing-read) (lambda (&rest _) "work")))
    (korproxy-execute '(:command "korproxy.profile"))
    (korproxy-test--within 5 (string-match-p "work" korproxy--lighter))))

(ert-deftest korproxy-test-07-input ()
  "An input box hides a secret, and asks again for what does not fit."
  (let ((answers '("bad" "sk-a1")) asked)
    (cl-letf (((symbol-function 'read-passwd) (lambda (prompt &rest _) (push prompt asked) (pop answers))))
      (should (equal (korproxy--input '( :title "Key" :prompt "API key" :secret t
                                         :pattern "(sk|pk)-[a-z]\\d{1,3}" :patternError "It starts with sk-."))
                     "sk-a1"))
      (should (equal (reverse asked) '("Key: API key: " "It starts with sk-. API key: "))))))

(ert-deftest korproxy-test-08-sign-in-asks-for-a-key ()
  "The daemon asks through the input box, and giving up is an answer."
  (korproxy-test--connected)
  (let (asked)
    (cl-letf (((symbol-function 'read-passwd) (lambda (prompt &rest _) (push prompt asked) (signal 'quit nil))))
      (korproxy-execute '(:command "korproxy.signIn" :arguments ["openai" "key"]))
      (korproxy-test--within 5 asked))))

(ert-deftest korproxy-test-08-a-key-is-written-nowhere ()
  "A key that was typed in stands in no buffer, of messages or other."
  (korproxy-test--connected)
  (let ((said (with-current-buffer "*Messages*" (point-max))) asked)
    (cl-letf (((symbol-function 'read-passwd) (lambda (&rest _) (setq asked (concat "sk-wander" "lust")))))
      (korproxy-execute '(:command "korproxy.signIn" :arguments ["spare" "key"]))
      (korproxy-test--within 5 asked)
      (korproxy-test--within 5 (with-current-buffer "*Messages*" (string-search "spare is connected" (buffer-substring said (point-max))))))
    (dolist (buffer (buffer-list))
      (with-current-buffer buffer
        (should-not (string-search (concat "sk-wander" "lust") (buffer-string)))))
    (should (equal (call-process "korproxy" nil nil nil "accounts" "remove" "spare") 0))))

(ert-deftest korproxy-test-09-doctor ()
  "The doctor's buffer has every check."
  (korproxy-test--connected)
  (korproxy-doctor)
  (should (derived-mode-p 'special-mode))
  (seq-doseq (check (plist-get (json-parse-string (shell-command-to-string "korproxy doctor --json") :object-type 'plist)
                               :checks))
    (should (string-search (plist-get check :title) (buffer-string)))))

(ert-deftest korproxy-test-10-dead-daemon ()
  "A daemon that dies is back within two seconds."
  (korproxy-test--connected)
  (korproxy-test--heals (lambda () (signal-process (korproxy-test--daemon) 'SIGKILL))))

(ert-deftest korproxy-test-11-dead-forwarder ()
  "So is the program that Emacs started."
  (korproxy-test--connected)
  (let ((process (jsonrpc--process korproxy--connection)))
    (korproxy-test--heals (lambda () (signal-process process 'SIGKILL)))))

(ert-deftest korproxy-test-12-missing ()
  "A program that is missing is told in the mode line."
  (korproxy-mode -1)
  (korproxy-test--state "stopped")
  (let ((korproxy-program "korproxy-is-not-here"))
    (korproxy-mode 1)
    (should (equal (plist-get korproxy-status-plist :state) "failed"))
    (should (eq (get-text-property 1 'face korproxy--lighter) 'error)))
  (korproxy-mode -1)
  (korproxy-test--connected))

(ert-deftest korproxy-test-12-broken ()
  "A program that ends at once is tried again, ever more slowly, and told of."
  (korproxy-mode -1)
  (korproxy-test--state "stopped")
  (let ((broken (expand-file-name "broken" (getenv "RUN"))))
    (with-temp-file broken (insert "#!/bin/sh\nexit 3\n"))
    (set-file-modes broken #o755)
    (let ((korproxy-program broken))
      (korproxy-mode 1)
      (korproxy-test--state "restarting")
      (korproxy-test--within 10 (equal (plist-get korproxy-status-plist :state) "failed")))
    (korproxy-test--within 10 (equal (plist-get korproxy-status-plist :state) "ready"))))

(ert-deftest korproxy-test-13-questions ()
  "A question of the server is answered with the action that was chosen."
  (let ((params '(:type 2 :message "Sign in?" :actions [(:title "Sign in" :more 1) (:title "Later")])))
    (cl-letf (((symbol-function 'completing-read) (lambda (&rest _) "Sign in")))
      (should (equal (korproxy--asked nil 'window/showMessageRequest params) '(:title "Sign in" :more 1))))
    (cl-letf (((symbol-function 'completing-read) (lambda (&rest _) (signal 'quit nil))))
      (should-not (korproxy--asked nil 'window/showMessageRequest params)))))

(ert-deftest korproxy-test-14-documents-are-shown ()
  "A long text is a file, at its place; a page is for the browser."
  (let ((file (expand-file-name "work/shown ü.txt" (getenv "RUN"))) pages)
    (with-temp-file file (insert "one\ntwo\n"))
    (korproxy--asked nil 'window/showDocument
                     `( :uri ,(korproxy--uri file) :takeFocus t
                        :selection (:start (:line 1 :character 1) :end (:line 1 :character 1))))
    (should (equal (file-truename buffer-file-name) (file-truename file)))
    (should (looking-at-p "wo"))
    (cl-letf (((symbol-function 'browse-url) (lambda (it &rest _) (push it pages))))
      (korproxy--asked nil 'window/showDocument '(:uri "https://example.org/" :external t)))
    (should (equal pages '("https://example.org/")))))

(ert-deftest korproxy-test-15-eglot ()
  "Eglot starts KorProxy for the modes that are named, and this package then leaves them alone."
  (require 'eglot)
  (korproxy-mode -1)
  (let ((korproxy-eglot-modes '(conf-toml-mode)) (eglot-sync-connect 5))
    (korproxy-mode 1)
    (korproxy-test--state "ready")
    (korproxy-test--document "strct = true\n"
      (conf-toml-mode)
      (should-not (memq #'korproxy--flymake flymake-diagnostic-functions))
      (apply #'eglot--connect (eglot--guess-contact))
      (korproxy-test--within 5 (eglot-current-server))
      (eglot--maybe-activate-editing-mode)
      (flymake-start)
      (korproxy-test--diagnosed)
      (eglot-shutdown (eglot-current-server))))
  (setq eglot-server-programs (assoc-delete-all '(conf-toml-mode) eglot-server-programs)))

(provide 'korproxy-test)
;;; korproxy-test.el ends here
