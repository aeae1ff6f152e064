;;; korproxy.el --- Status, menus and errors of KorProxy  -*- lexical-binding: t; -*-

;; Author: The KorProxy authors
;; URL: https://github.com/korproxy/korproxy
;; Version: 0.1.0
;; Package-Requires: ((emacs "29.1"))
;; Keywords: tools, convenience
;; SPDX-License-Identifier: Apache-2.0

;;; Commentary:

;; KorProxy is one process that answers all AI coding tools of a machine.  With
;; `korproxy-mode' the mode line shows how it fares, `M-x korproxy' has its
;; commands, and its configuration is checked while you edit it.

;;; Code:

(require 'cl-lib)
(require 'flymake)
(require 'jsonrpc)
(require 'project)
(require 'subr-x)
(require 'transient)
(require 'url-util)

(defgroup korproxy nil "One port for all AI coding tools." :group 'tools)

(defcustom korproxy-program "korproxy"
  "The korproxy program: a file, or a name that is on the variable `exec-path'." :type 'string)

(defcustom korproxy-eglot-modes nil
  "Major modes for which Eglot starts KorProxy, in place of this package." :type '(repeat symbol))

(defcustom korproxy-lsp-modes nil
  "Major modes for which lsp-mode starts KorProxy, in place of this package." :type '(repeat symbol))

;; The next section is generated from companion/lsp by 'make generate'.
(eval-and-compile
  (defconst korproxy--commands
    '((menu "korproxy.menu" "m" "Show Menu" "main") (profile "korproxy.profile" "p" "Switch Profile" "profiles")
      (model "korproxy.model" "o" "Switch Model" "models")
      (account "korproxy.account" "a" "Switch Account" "accounts")
      (sign-in "korproxy.signIn" "s" "Sign In or Add a Key" "signIn") (test "korproxy.test" "t" "Test Accounts")
      (usage "korproxy.usage" "u" "Show Usage") (logs "korproxy.logs" "l" "Show Log")
      (doctor "korproxy.doctor" "d" "Run Doctor") (safe-mode "korproxy.safeMode" "f" "Toggle Safe Mode")
      (restart "korproxy.restart" "r" "Restart KorProxy") (config "korproxy.config" "c" "Open Configuration")
      (status "korproxy.status" "b" "Show Status"))
    "The commands: name, id, key, title, and the menu of those that have one."))
(defconst korproxy--documents '("korproxy.toml" ".korproxy.toml") "The names of its own files.")
(defconst korproxy--statuses
  '((starting :state "starting" :text "KorProxy" :severity "info" :icon "busy" :hover "KorProxy is starting.")
    (restarting :state "restarting" :text "KorProxy restarting" :severity "error" :icon "busy" :hover "The connection to KorProxy was lost. It is being started again.")
    (failed :state "failed" :text "KorProxy failed" :severity "error" :icon "error" :hover "KorProxy keeps ending right after its start. It is tried again from time to time. Run `korproxy doctor` in a terminal to see why.")
    (missing :state "failed" :text "KorProxy missing" :severity "error" :icon "error" :hover "The korproxy program was not found. Install it, put it on PATH, or set its path.")
    (stopped :state "stopped" :text "KorProxy stopped" :severity "info" :icon "off" :hover "The editor is not connected to KorProxy."))
  "What is shown while no server can tell anything.")
;; The generated section ends here.

(defvar korproxy-status-plist nil "The status, as KorProxy sent it.")
(defvar korproxy--lighter "" "What the mode line shows; made when the status changes.")

(defun korproxy--plain (markdown)
  "Return MARKDOWN as plain text."
  (replace-regexp-in-string "\\*\\*\\|`\\|\\[\\([^]]+\\)\\]([^)]+)" "\\1" (or markdown "")))

(defun korproxy--show (status)
  "Show STATUS, which may be the name of one that is known here."
  (cl-destructuring-bind (&key icon text severity hover command &allow-other-keys)
      (setq korproxy-status-plist (if (symbolp status) (alist-get status korproxy--statuses) status))
    (setq korproxy--lighter
          (propertize (format " %s %s" (alist-get (intern icon) '((ok . "●") (busy . "◌") (warning . "▲") (error . "✖")
                                                                  (limit . "◔") (key . "◇") (safe . "◆")) "○")
                              (string-replace "%" "%%" text))
                      'face (alist-get (intern severity) '((error . error) (warning . warning)))
                      'help-echo (korproxy--plain hover) 'mouse-face 'mode-line-highlight
                      'local-map (define-keymap "<mode-line> <mouse-1>"
                                   (lambda () (interactive) (korproxy-execute (or command '(:command "korproxy.menu"))))))))
  (force-mode-line-update t))

(defvar korproxy-mode)
(defvar korproxy--connection nil "The connection of this Emacs.")
(defvar korproxy--ready nil "Whether the connection is initialized.")
(defvar korproxy--failures 0 "How often in a row the connection ended early.")
(defvar korproxy--since 0 "When the connection began.")
(defvar korproxy--timer (timer-create) "The timer of the next start.")
(defvar korproxy--menu nil "The menu that is open.")
(defvar-local korproxy--diagnostics [] "What KorProxy says of this buffer.")
(defvar-local korproxy--flymake nil "What Flymake wants to be told by.")
(defvar-local korproxy--sent nil "The connection that knows this buffer, and the text it knows.")

(defun korproxy--start ()
  "Start the connection unless there is one."
  (cond
   ((or korproxy--connection (not korproxy-mode)))
   ((not (executable-find korproxy-program)) (korproxy--show 'missing))
   (t
    (when (zerop korproxy--failures) (korproxy--show 'starting))
    (setq korproxy--since (float-time) korproxy--connection
          (apply #'make-instance 'jsonrpc-process-connection :name "korproxy" :on-shutdown #'korproxy--ended
                 :process (lambda () (make-process
                                      :name "korproxy" :command (list korproxy-program "lsp") :connection-type 'pipe
                                      :coding 'utf-8-unix :noquery t :stderr (get-buffer-create "*korproxy stderr*")))
                 :notification-dispatcher #'korproxy--notified :request-dispatcher #'korproxy--asked
                 ;; What passes may be a key that was typed in: no log of it.
                 (if (boundp 'jsonrpc-event-hook) '(:events-buffer-config (:size 0)) '(:events-buffer-scrollback-size 0))))
    (condition-case nil
        (jsonrpc-async-request
         korproxy--connection :initialize
         `( :processId ,(emacs-pid) :clientInfo (:name "Emacs" :version ,emacs-version)
            :rootUri ,(korproxy--uri (if-let* ((it (project-current))) (project-root it) default-directory))
            :capabilities ( :general (:positionEncodings ["utf-8" "utf-16"]) :workspace (:applyEdit t)
                            :window (:workDoneProgress t :showDocument (:support t))
                            :experimental (:korproxy (:status t :menu t :input t))))
         :timeout nil :error-fn #'ignore :success-fn
         (lambda (_)
           (setq korproxy--ready t)
           (korproxy--notify :initialized (make-hash-table))
           (dolist (it (buffer-list)) (with-current-buffer it (korproxy--find-file)))))
      (error (korproxy--ended korproxy--connection)))))) ; it ended before it could be asked

(defun korproxy--ended (connection)
  "Begin again after CONNECTION ended."
  (when (eq connection korproxy--connection)
    (setq korproxy--connection nil korproxy--ready nil
          korproxy--failures (if (> (- (float-time) korproxy--since) 10) 1 (1+ korproxy--failures))
          korproxy--timer (run-at-time (min 30 (* 0.05 (expt 2 korproxy--failures))) nil #'korproxy--start))
    (korproxy--show (cond ((not korproxy-mode) 'stopped) ((> korproxy--failures 5) 'failed) ('restarting)))))

(defun korproxy--notify (method params)
  "Send the notification METHOD with PARAMS, if there is a connection."
  (when korproxy--ready (ignore-errors (jsonrpc-notify korproxy--connection method params))))

(defun korproxy--async (method params done)
  "Send the request METHOD with PARAMS, and call DONE with its answer."
  (when korproxy--ready
    (jsonrpc-async-request korproxy--connection method params :timeout nil :success-fn done
                           :error-fn (lambda (err) (message "%s" (plist-get err :message))))))

(defun korproxy--await ()
  "Wait for the connection; signal an error if there is none."
  (if korproxy-mode (korproxy--start) (korproxy-mode))
  (cl-loop repeat 50 until (or korproxy--ready (equal (plist-get korproxy-status-plist :state) "failed")) do (sit-for 0.1))
  (unless korproxy--ready (user-error "%s" (plist-get korproxy-status-plist :hover))))

(defun korproxy--request (method params)
  "Send the request METHOD with PARAMS, and wait for its answer."
  (korproxy--await)
  (condition-case err
      (jsonrpc-request korproxy--connection method params :timeout 20)
    (jsonrpc-error (user-error "%s" (or (alist-get 'jsonrpc-error-message (cdr err)) (cadr err))))))

(defun korproxy--notified (_connection method params)
  "Take in the notification METHOD with PARAMS."
  (pcase method
    ('korproxy/status (korproxy--show params))
    ('korproxy/changed
     (when (and korproxy--menu (seq-contains-p (plist-get params :lists) "menus"))
       (korproxy--async :korproxy/menu (list :id (plist-get korproxy--menu :id))
                        (lambda (menu) ; what was typed stays
                          (when (equal (plist-get menu :id) (plist-get korproxy--menu :id))
                            (setq korproxy--menu menu)
                            (when (get-buffer-window "*Completions*" 0)
                              (with-selected-window (active-minibuffer-window) (minibuffer-completion-help))))))))
    ('textDocument/publishDiagnostics
     (when-let* ((buffer (find-buffer-visiting (korproxy--path (plist-get params :uri)))))
       (with-current-buffer buffer (korproxy--report (setq korproxy--diagnostics (plist-get params :diagnostics))))))
    ('window/showMessage (korproxy--ask params))
    ('$/progress (let ((title (plist-get (plist-get params :value) :title))) (message (and title "%s") title)))))

(defun korproxy--asked (_connection method params)
  "Answer the request METHOD with PARAMS."
  (condition-case nil
      (pcase method
        ('korproxy/input (list :value (korproxy--input params)))
        ('window/showMessageRequest (korproxy--ask params))
        ('window/showDocument (korproxy--show-document params) '(:success t))
        ('workspace/applyEdit (korproxy--apply (plist-get params :edit)) '(:applied t))
        ('window/workDoneProgress/create nil)
        (_ (jsonrpc-error :code -32601 :message (symbol-name method))))
    (quit (and (eq method 'korproxy/input) '(:value nil)))))

(defun korproxy--choose (prompt lines)
  "Let the user choose among LINES, which are shown at once, with PROMPT."
  (let ((completions-format 'one-column) (completion-show-help nil))
    (minibuffer-with-setup-hook
        (lambda () (unless (or (bound-and-true-p vertico-mode) (bound-and-true-p icomplete-mode)
                               (not (eq completing-read-function #'completing-read-default))) ; they show them too
                     (minibuffer-completion-help)))
      (completing-read prompt lines nil t))))

(defun korproxy--ask (params)
  "Show the message PARAMS, and let the user choose among its actions."
  (let ((text (propertize (plist-get params :message) 'face (pcase (plist-get params :type) (1 'error) (2 'warning))))
        (actions (seq-map (lambda (it) (cons (plist-get it :title) it)) (plist-get params :actions))))
    (if actions (cdr (assoc (korproxy--choose (concat text " ") actions) actions)) (ignore (message "%s" text)))))

(defun korproxy--input (params)
  "Ask for the line of text that PARAMS describe."
  (cl-destructuring-bind (&key title prompt value secret pattern patternError &allow-other-keys) params
    (cl-loop
     with case-fold-search = nil
     with regexp = (format "\\`\\(?:%s\\)\\'" ; groups and alternatives are marked the other way round
                           (thread-last (or pattern ".*") (replace-regexp-in-string "[(){}|]" "\\\\\\&")
                                        (string-replace "\\s" "[[:space:]]") (string-replace "\\S" "[^[:space:]]")
                                        (string-replace "\\d" "[0-9]")))
     for line = (format "%s: %s: " title prompt) then (format "%s %s: " (or patternError title) prompt)
     for text = (if secret (read-passwd line) (read-string line (or text value)))
     when (string-match-p regexp text) return text)))

(defun korproxy--lines ()
  "Return the lines of the open menu, with their items and the heads above them."
  (cl-loop with head for item across (plist-get korproxy--menu :items)
           if (plist-get item :separator) do (setq head (plist-get item :label))
           else collect (list (plist-get item :label) item head)))

(defun korproxy--table (string predicate action)
  "Complete STRING among the lines of the open menu by PREDICATE and ACTION."
  (let ((lines (korproxy--lines)))
    (if (not (eq action 'metadata))
        (complete-with-action action lines string predicate)
      `(metadata
        (category . korproxy) (display-sort-function . identity) (cycle-sort-function . identity)
        (annotation-function
         . ,(lambda (line)
              (cl-destructuring-bind (&key checked description detail &allow-other-keys) (cadr (assoc line lines))
                (mapconcat (lambda (it) (concat "  " it)) (delq nil (list (and (eq checked t) "✓") description detail))))))
        ,@(when (seq-some #'caddr lines)
            `((group-function . ,(lambda (line transform) (if transform line (caddr (assoc line lines)))))))))))

(defun korproxy--open-menu (id)
  "Show the menu ID and do what is chosen."
  (let* ((korproxy--menu (korproxy--request :korproxy/menu (list :id id)))
         (line (korproxy--choose (concat (plist-get korproxy--menu :title) ": ") #'korproxy--table))
         (item (cadr (assoc line (korproxy--lines)))))
    (setq korproxy--menu nil)
    (cond ((plist-get item :command) (korproxy-execute (plist-get item :command)))
          ((plist-get item :menu) (korproxy--open-menu (plist-get item :menu))))))

(defun korproxy-execute (command)
  "Do COMMAND, a plist with :command and :arguments."
  (cl-destructuring-bind (&key ((:command id)) arguments &allow-other-keys) command
    (if (equal id "korproxy.menu")
        (korproxy--open-menu (if (seq-empty-p arguments) "main" (elt arguments 0)))
      (korproxy--await)
      (korproxy--async :workspace/executeCommand `(:command ,id ,@(and arguments (list :arguments arguments)))
                       (lambda (result)
                         (cl-destructuring-bind (&key command hover &allow-other-keys) (and (plistp result) result)
                           (when hover (message "%s" (korproxy--plain hover)))
                           (when (equal command "korproxy.menu") (korproxy-execute result))))))))

(defun korproxy--show-document (params)
  "Show the document that PARAMS name."
  (cl-destructuring-bind (&key uri external selection &allow-other-keys) params
    (if (or (eq external t) (not (string-prefix-p "file:" uri))) (browse-url uri)
      (pop-to-buffer (let (query-about-changed-file) (find-file-noselect (korproxy--path uri))))
      (unless (or (verify-visited-file-modtime) (buffer-modified-p)) (revert-buffer t t))
      (when selection (goto-char (korproxy--point (plist-get selection :start)))))))

(defun korproxy--uri (file)
  "Return the URI of FILE."
  (let ((path (expand-file-name file)))
    (concat "file://" (unless (string-prefix-p "/" path) "/") (url-hexify-string path url-path-allowed-chars))))

(defun korproxy--path (uri)
  "Return the file that URI names."
  (let ((path (decode-coding-string (url-unhex-string (string-remove-prefix "file://" uri)) 'utf-8)))
    (if (string-match-p "\\`/[A-Za-z]:" path) (substring path 1) path)))

(defun korproxy--point (position)
  "Return where POSITION, a line and the bytes in it, is in the buffer."
  (save-excursion
    (goto-char (point-min))
    (forward-line (plist-get position :line))
    (min (pos-eol) (or (byte-to-position (+ (position-bytes (point)) (plist-get position :character))) (point-max)))))

(defun korproxy--range (it)
  "Return where the range of IT begins and ends."
  (mapcar (lambda (key) (korproxy--point (plist-get (plist-get it :range) key))) '(:start :end)))

(defun korproxy--find-file ()
  "Open the file of this buffer with KorProxy, if it is one of its own."
  (when (and (member (file-name-nondirectory (or buffer-file-name "")) korproxy--documents)
             (not (apply #'derived-mode-p (append korproxy-eglot-modes korproxy-lsp-modes))))
    (add-hook 'flymake-diagnostic-functions #'korproxy--flymake nil t)
    (add-hook 'eldoc-documentation-functions #'korproxy--eldoc nil t)
    (add-hook 'completion-at-point-functions #'korproxy--complete nil t)
    (add-hook 'kill-buffer-hook (lambda () (korproxy--notify :textDocument/didClose (korproxy--here))) nil t)
    (korproxy--sync)
    (if flymake-mode (flymake-start) (flymake-mode 1))))

(defun korproxy--sync ()
  "Tell KorProxy what the buffer has in it, unless it knows."
  (let ((document (list :uri (korproxy--uri buffer-file-name) :version (buffer-chars-modified-tick)))
        (text (save-restriction (widen) (buffer-substring-no-properties (point-min) (point-max)))))
    (when (and korproxy--ready (not (equal korproxy--sent (cons korproxy--connection text))))
      (if (eq (car korproxy--sent) korproxy--connection)
          (korproxy--notify :textDocument/didChange `(:textDocument ,document :contentChanges [(:text ,text)]))
        (korproxy--notify :textDocument/didOpen `(:textDocument (,@document :languageId "toml" :text ,text))))
      (setq korproxy--sent (cons korproxy--connection text)))))

(defun korproxy--here (&rest more)
  "Return the parameters that name this buffer and point, and MORE."
  (korproxy--sync)
  `( :textDocument (:uri ,(korproxy--uri buffer-file-name)) ,@more :position
     (:line ,(1- (line-number-at-pos nil t)) :character ,(- (position-bytes (point)) (position-bytes (pos-bol))))))

(defun korproxy--flymake (report &rest _)
  "Be a backend of Flymake, with REPORT to call."
  (setq korproxy--flymake report)
  (korproxy--sync)
  (korproxy--report korproxy--diagnostics))

(defun korproxy--report (diagnostics)
  "Show DIAGNOSTICS in this buffer."
  (when korproxy--flymake
    (funcall korproxy--flymake
             (seq-map (lambda (it)
                        (pcase-let ((`(,beg ,end) (korproxy--range it)))
                          (flymake-make-diagnostic
                           (current-buffer) beg (max end (min (1+ beg) (point-max)))
                           (pcase (plist-get it :severity) (1 :error) (2 :warning) (_ :note))
                           (format "%s %s" (plist-get it :code) (plist-get it :message)) it)))
                      diagnostics)
             :region (cons (point-min) (point-max)))))

(defun korproxy--eldoc (callback)
  "Give CALLBACK a text about what is at point."
  (korproxy--async :textDocument/hover (korproxy--here)
                   (lambda (it) (funcall callback (and it (korproxy--plain (plist-get (plist-get it :contents) :value))))))
  t)

(defun korproxy--complete ()
  "Complete at point."
  (when-let* ((answer (and korproxy--ready (korproxy--request :textDocument/completion (korproxy--here))))
              (items (seq-map (lambda (it) (cons (or (plist-get it :filterText) (plist-get it :label)) it))
                              (if (vectorp answer) answer (plist-get answer :items))))
              (edit (or (plist-get (cdar items) :textEdit) t)))
    (let ((beg (if (eq edit t) (or (car (bounds-of-thing-at-point 'symbol)) (point)) (car (korproxy--range edit)))))
      (list beg (point) items :exclusive 'no
            :annotation-function (lambda (it) (concat "  " (plist-get (cdr (assoc it items)) :detail)))
            :exit-function (lambda (text _)
                             (when-let* ((it (cdr (assoc text items))))
                               (delete-region beg (point))
                               (insert (or (plist-get (plist-get it :textEdit) :newText) (plist-get it :insertText) text))))))))

(defun korproxy-code-action ()
  "Choose among what KorProxy can do about the problems at point."
  (interactive)
  (let* ((here (delq nil (mapcar #'flymake-diagnostic-data (flymake-diagnostics (point)))))
         (at (plist-get (korproxy--here) :position))
         (context `(:range ,(or (plist-get (car here) :range) `(:start ,at :end ,at)) :context (:diagnostics ,(vconcat here))))
         (answer (korproxy--request :textDocument/codeAction (apply #'korproxy--here context)))
         (lines (or (seq-map (lambda (it) (cons (plist-get it :title) it)) answer) (user-error "Nothing to do here")))
         (action (cdr (assoc (korproxy--choose "KorProxy: " lines) lines))))
    (korproxy--apply (plist-get action :edit))
    (when (plist-get action :command) (korproxy-execute (plist-get action :command)))))

(defun korproxy--apply (edit)
  "Apply the workspace edit EDIT."
  (cl-loop for (uri edits) on (plist-get edit :changes) by #'cddr do
           (with-current-buffer (find-file-noselect (korproxy--path (substring (symbol-name uri) 1)))
             ;; From the end on, as all places count in the text as it was.
             (seq-doseq (it (seq-sort-by (lambda (it) (car (korproxy--range it))) #'> edits))
               (pcase-let ((`(,beg ,end) (korproxy--range it)))
                 (save-excursion (delete-region (goto-char beg) end) (insert (plist-get it :newText))))))))

(defmacro korproxy--define-commands ()
  "Define the commands of KorProxy, and the menu of them."
  `(progn
     ,@(cl-loop for (name id _ title menu) in korproxy--commands unless (eq name 'doctor) collect
                `(defun ,(intern (format "korproxy-%s" name)) ()
                   ,(format "KorProxy: %s." title) (interactive)
                   (korproxy-execute ',(if menu `(:command "korproxy.menu" :arguments [,menu]) `(:command ,id)))))
     (transient-define-prefix korproxy ()
       "Do something with KorProxy."
       [:description (lambda () (plist-get korproxy-status-plist :text))
        ,@(cl-loop for (name _ key title) in korproxy--commands
                   collect (list key title (intern (format "korproxy-%s" name))))])))

;;;###autoload (autoload 'korproxy "korproxy" nil t)
(korproxy--define-commands)

(defun korproxy-doctor ()
  "Check KorProxy, and show what is wrong."
  (interactive)
  (let ((answer (korproxy--request :workspace/executeCommand
                                   '(:command "korproxy.doctor" :arguments [(:show :json-false)])))
        (inhibit-read-only t))
    (pop-to-buffer (get-buffer-create "*korproxy doctor*"))
    (special-mode)
    (setq-local revert-buffer-function (lambda (&rest _) (korproxy-doctor)))
    (erase-buffer)
    (seq-doseq (check (plist-get answer :checks))
      (cl-destructuring-bind (&key title result message code fix run link command &allow-other-keys) check
        (insert (alist-get result '(("ok" . "✓") ("warning" . "!") ("failed" . "✗")) "-" nil #'equal) " "
                (propertize title 'face 'bold) ": " (string-join (delq nil (list message code fix run link)) "\n    ") "\n")
        (when command
          (insert-text-button (plist-get command :title) 'action (lambda (_) (korproxy-execute command)))
          (insert "\n"))))
    (goto-char (point-min))))

;;;###autoload
(define-minor-mode korproxy-mode
  "Show how KorProxy fares, and check its configuration." :global t :lighter (:eval korproxy--lighter)
  (setq korproxy--failures 0)
  (cancel-timer korproxy--timer)
  (funcall (if korproxy-mode #'add-hook #'remove-hook) 'find-file-hook #'korproxy--find-file)
  (with-no-warnings ; of packages that are not loaded yet
    (when korproxy-eglot-modes
      (require 'eglot)
      (add-to-list 'eglot-server-programs (list korproxy-eglot-modes korproxy-program "lsp")))
    (when korproxy-lsp-modes
      (require 'lsp-mode)
      (lsp-register-client
       (make-lsp-client :server-id 'korproxy :add-on? t :major-modes korproxy-lsp-modes
                        :new-connection (lsp-stdio-connection (list korproxy-program "lsp"))))))
  (cond (korproxy-mode (korproxy--start))
        (korproxy--connection (delete-process (jsonrpc--process korproxy--connection)))))

(provide 'korproxy)
;;; korproxy.el ends here
